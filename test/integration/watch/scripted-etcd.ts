import { createRequire } from 'node:module';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A stream of watches as its server sees it. */
export type ScriptedStream = ServerDuplexStream<ScriptedRequest, object>;

/** What a client asks for on such a stream; one of them is set. */
export interface ScriptedRequest {
  readonly create_request?: { readonly key: Buffer; readonly start_revision: string } | null;
  readonly cancel_request?: { readonly watch_id: string } | null;
  readonly progress_request?: object | null;
}

/** A server that speaks etcd's Watch service and says what a test wants, in the order that it wants. */
export interface ScriptedEtcd extends AsyncDisposable {
  readonly endpoint: string;
  /** Streams that were opened so far. */
  readonly streams: number;
}

const PROTO = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');

/** Starts a server; `answer` is called with each request. It calls itself version 3.6.0. */
export async function startScriptedEtcd(
  answer: (stream: ScriptedStream, request: ScriptedRequest) => void,
): Promise<ScriptedEtcd> {
  const { etcdserverpb } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, longs: String }));
  const services = etcdserverpb as unknown as Record<'Watch' | 'Maintenance', ServiceClientConstructor>;
  let streams = 0;
  const server = new Server();
  server.addService(services.Maintenance.service, {
    Status: (_: unknown, done: sendUnaryData<object>) => done(null, { version: '3.6.0' }),
  });
  server.addService(services.Watch.service, {
    Watch(stream: ScriptedStream) {
      streams += 1;
      stream.on('data', (request: ScriptedRequest) => answer(stream, request));
      stream.on('end', () => stream.end());
      stream.on('error', () => {});
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
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

/** The head of an answer at a revision. */
export function headerAt(revision: number): object {
  return { cluster_id: '1', member_id: '1', revision: String(revision), raft_term: '1' };
}

/** A write of one key, as etcd tells it. */
export function putAt(revision: number, key: string): object {
  const kv = { key: Buffer.from(key), create_revision: '1', mod_revision: String(revision), version: '1' };
  return { type: 'PUT', kv };
}
