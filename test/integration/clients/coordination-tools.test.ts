import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { failureOf } from '../../support/failure-of.ts';
import { findGrpcurl } from '../../support/find-grpcurl.ts';
import { type Clients, openClients } from '../../support/open-clients.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { type Caller, spawnCaller } from './fixture/spawn-caller.ts';

const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
const HOLD_LEASE = 'concord.lease.v1.LeaseService/Hold';
const HOLD_LOCK = 'concord.lock.v1.LockService/Hold';
const CAMPAIGN = 'concord.election.v1.ElectionService/Campaign';
const TTL = '600s';
const TIMEOUT_MS = 120_000;

const grpcurl = await findGrpcurl();

let gateway: TestGateway;
let clients: Clients;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  clients = openClients(gateway.url);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** Makes a call that goes on until the tool is ended. */
type Start = (rpc: string, request: object) => Caller;

const bufCurl =
  (protocol: string): Start =>
  (rpc, request) => {
    const flags = ['--protocol', protocol, '--http2-prior-knowledge', '-d', JSON.stringify(request)];
    return spawnCaller(BUF, ['curl', ...flags, `${gateway.url}/${rpc}`]);
  };

/** A number that a tool prints, with quotes or without. */
function numberIn([, digits = '']: RegExpExecArray): bigint {
  return BigInt(digits);
}

async function expectEndsWith(start: Start, signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
  const name = randomUUID();
  await using lease = start(HOLD_LEASE, { ttl: TTL });
  await using lock = start(HOLD_LOCK, { name, ttl: TTL });
  await using campaign = start(CAMPAIGN, { name, ttl: TTL, value: 'a tool' });
  const leaseId = numberIn(await lease.prints(/"leaseId":\s*"?(\d+)/));
  await lock.prints(/STATE_ACQUIRED/);
  const fencingToken = numberIn(await lock.prints(/"fencingToken":\s*"?(\d+)/));
  await campaign.prints(/STATE_LEADER/);
  const termToken = numberIn(await campaign.prints(/"termToken":\s*"?(\d+)/));

  expect(await clients.leases.get({ leaseId })).toMatchObject({ leaseId });
  expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: true });
  expect((await clients.elections.leader({ name })).leader).toMatchObject({ value: 'a tool', termToken });

  await Promise.all([lease, lock, campaign].map((caller) => caller.end(signal)));
  await eventually(async () => {
    expect(await failureOf(clients.leases.get({ leaseId }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' });
    expect(await clients.locks.verify({ name, fencingToken })).toMatchObject({ held: false });
    expect(await failureOf(clients.elections.leader({ name }))).toMatchObject({ reason: 'NO_LEADER' });
  });
}

describe.each(['grpc', 'grpcweb', 'connect'])('buf curl over %s', (protocol) => {
  it(
    'holds a lease, a lock and the lead of an election until it is interrupted',
    () => expectEndsWith(bufCurl(protocol), 'SIGINT'),
    TIMEOUT_MS,
  );
});

describe('buf curl', () => {
  it('holds them no longer when it is killed', () => expectEndsWith(bufCurl('grpc'), 'SIGKILL'), TIMEOUT_MS);
});

describe('grpcurl', () => {
  if (grpcurl.kind === 'missing') {
    it(`is not tested here: ${grpcurl.why}`, () => expect(grpcurl.why).not.toBe(''));
    return;
  }
  const start: Start = (rpc, request) =>
    spawnCaller(grpcurl.path, [
      '-plaintext',
      '-d',
      JSON.stringify(request),
      `127.0.0.1:${gateway.port}`,
      rpc,
    ]);

  it(
    'holds a lease, a lock and the lead of an election until it is interrupted',
    () => expectEndsWith(start, 'SIGINT'),
    TIMEOUT_MS,
  );
});
