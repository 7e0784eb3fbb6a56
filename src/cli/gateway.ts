// The gateway that a command talks to.
// gRPC over one HTTP/2 connection, which is pinged while streams are open: one that hangs is found out.

import { type Client, createClient, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { ConfigService } from '../../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { ElectionService } from '../../gen/concord/election/v1/election_service_pb.ts';
import { KvService } from '../../gen/concord/kv/v1/kv_service_pb.ts';
import { LeaseService } from '../../gen/concord/lease/v1/lease_service_pb.ts';
import { LockService } from '../../gen/concord/lock/v1/lock_service_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import { usageError } from './failure.ts';

/** The address of a gateway where none is given. */
export const DEFAULT_SERVER = 'http://127.0.0.1:8090';

/** The services whose health is asked for. */
export const SERVICES = [
  KvService,
  LeaseService,
  LockService,
  ElectionService,
  DiscoveryService,
  ConfigService,
] as const;

/** A client of every service. */
export interface Gateway {
  /** Such as `http://127.0.0.1:8090`. */
  readonly address: string;
  readonly kv: Client<typeof KvService>;
  readonly leases: Client<typeof LeaseService>;
  readonly locks: Client<typeof LockService>;
  readonly elections: Client<typeof ElectionService>;
  readonly discovery: Client<typeof DiscoveryService>;
  readonly config: Client<typeof ConfigService>;
  readonly health: Client<typeof Health>;
}

const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 10_000;

/** Opens a gateway; nothing is sent yet. Throws where `server` is no address. `token` goes as a bearer token. */
export function openGateway(server: string, token: string | undefined): Gateway {
  const address = parseServer(server);
  const authenticate: Interceptor = (next) => (request) => {
    if (token) request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
  const transport = createGrpcTransport({
    baseUrl: address,
    interceptors: [authenticate],
    pingIntervalMs: PING_INTERVAL_MS,
    pingTimeoutMs: PING_TIMEOUT_MS,
  });
  return {
    address,
    kv: createClient(KvService, transport),
    leases: createClient(LeaseService, transport),
    locks: createClient(LockService, transport),
    elections: createClient(ElectionService, transport),
    discovery: createClient(DiscoveryService, transport),
    config: createClient(ConfigService, transport),
    health: createClient(Health, transport),
  };
}

/** `host:port` is taken for http. */
function parseServer(server: string): string {
  const text = server.includes('://') ? server : `http://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.host === '')
    throw usageError(`--server is ${JSON.stringify(server)}; expected http://host:port or https://host:port`);
  return url.href.replace(/\/+$/, '');
}
