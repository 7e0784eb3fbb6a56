import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { GrantRequestSchema, GrantResponseSchema } from '../../../gen/concord/lease/v1/lease_service_pb.ts';
import type { Caller } from '../load/caller.ts';
import { expectWritten } from './expect-answer.ts';

/** Has Concord grant a lease, and renew it until it is revoked. */
export async function grantAutoRenewed(caller: Caller, ttlSeconds: number): Promise<void> {
  const request = create(GrantRequestSchema, { ttl: { seconds: BigInt(ttlSeconds) }, autoRenew: true });
  const granted = await caller.call(
    '/concord.lease.v1.LeaseService/Grant',
    toBinary(GrantRequestSchema, request),
  );
  const { revision, leaseId } = fromBinary(GrantResponseSchema, granted);
  expectWritten(revision);
  if (leaseId <= 0n) throw new Error(`Grant came back with the lease ${leaseId}`);
}
