import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { ConfigService } from '../../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { ElectionService } from '../../gen/concord/election/v1/election_service_pb.ts';
import { KvService } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { LeaseService } from '../../gen/concord/lease/v1/lease_service_pb.ts';
import { LockService } from '../../gen/concord/lock/v1/lock_service_pb.ts';

/** A client of each service. */
export interface Clients {
  readonly kv: Client<typeof KvService>;
  readonly leases: Client<typeof LeaseService>;
  readonly locks: Client<typeof LockService>;
  readonly elections: Client<typeof ElectionService>;
  readonly discovery: Client<typeof DiscoveryService>;
  readonly config: Client<typeof ConfigService>;
}

/** Opens the clients of a gateway. @param transport @default gRPC over HTTP/2, a connection of its own */
export function openClients(
  baseUrl: string,
  transport: Transport = createGrpcTransport({ baseUrl }),
): Clients {
  return {
    kv: createClient(KvService, transport),
    leases: createClient(LeaseService, transport),
    locks: createClient(LockService, transport),
    elections: createClient(ElectionService, transport),
    discovery: createClient(DiscoveryService, transport),
    config: createClient(ConfigService, transport),
  };
}
