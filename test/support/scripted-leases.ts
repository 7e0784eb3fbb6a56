import { createRequire } from 'node:module';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A stream of renewals as its server sees it. */
export type ScriptedRenewals = ServerDuplexStream<{ readonly ID: string }, object>;

/** A server that speaks etcd's renewals of leases and says what a test wants. */
export interface ScriptedLeases extends AsyncDisposable {
  readonly endpoint: string;
  /** Streams that were opened so far. */
  readonly streams: number;
  readonly openStreams: number;
}

const PROTO = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');

/** Starts a server; `answer` is called with each renewal, and the number of its stream from 1. */
export async function startScriptedLeases(
  answer: (call: ScriptedRenewals, leaseId: string, stream: number) => void,
): Promise<ScriptedLeases> {
  const { etcdserverpb } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, longs: String }));
  const { Lease } = etcdserverpb as unknown as Record<'Lease', ServiceClientConstructor>;
  let streams = 0;
  let openStreams = 0;
  const server = new Server();
  server.addService(Lease.service, {
    LeaseKeepAlive(call: ScriptedRenewals) {
      streams += 1;
      openStreams += 1;
      const stream = streams;
      call.on('data', ({ ID }: { readonly ID: string }) => answer(call, ID, stream));
      call.on('end', () => call.end());
      call.on('error', () => {});
      call.on('close', () => {
        openStreams -= 1;
      });
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    endpoint: `http://127.0.0.1:${port}`,
    get streams() {
      return streams;
    },
    get openStreams() {
      return openStreams;
    },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

/** Answers that a lease was renewed. */
export function renew(call: ScriptedRenewals, leaseId: string): void {
  const header = { cluster_id: '1', member_id: '1', revision: '1', raft_term: '1' };
  call.write({ header, ID: leaseId, TTL: '60' });
}
