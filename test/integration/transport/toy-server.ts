import { readFileSync } from 'node:fs';
import { type Client, createClient, type HandlerContext, type Interceptor } from '@connectrpc/connect';
import { KvService } from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { Health, type HealthCheckResponse } from '../../../gen/grpc/health/v1/health_pb.ts';
import type { CallContext, CallOutcome } from '../../../src/rpc/checks/call-context.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../../src/transport/start-server.ts';
import type { Protocol } from '../../support/protocols.ts';

type Answer = { readonly status: HealthCheckResponse['status'] };

/** What the handlers of a toy do; each has a default that answers at once. */
export interface ToyBehaviour {
  readonly check?: (service: string, context: HandlerContext) => Promise<Answer>;
  /** Default: one message, then none until the signal is aborted. */
  readonly watch?: (service: string, context: HandlerContext) => AsyncIterable<Answer>;
  /** Answers `KvService.Get`. Default: the length of the key as revision. */
  readonly get?: (
    key: string,
    context: HandlerContext,
  ) => Promise<{ readonly revision: bigint; readonly kv?: { readonly value: string } }>;
  /** Streams `KvService.Watch`. Default: no message. */
  readonly watchKv?: (context: HandlerContext) => AsyncIterable<{ readonly resumeToken: string }>;
}

/** What the observer of a toy was told of one call. */
export interface Seen {
  readonly call: CallContext;
  readonly outcomes: readonly CallOutcome[];
}

/** A server on a free port of loopback, of which the test decides what its handlers do. */
export interface Toy extends AsyncDisposable {
  readonly server: RunningServer;
  readonly port: number;
  readonly baseUrl: string;
  /** Every call in the order in which they began. */
  readonly seen: readonly Seen[];
  readonly logged: readonly { readonly level: string; readonly message: string }[];
  health(protocol: Protocol, interceptors?: readonly Interceptor[]): Client<typeof Health>;
  kv(protocol: Protocol): Client<typeof KvService>;
}

/** The certificate that a toy shows under TLS; it is good for localhost and 127.0.0.1. */
export const certificate = {
  cert: readFileSync(new URL('./localhost.cert.pem', import.meta.url), 'utf8'),
  key: readFileSync(new URL('./localhost.key.pem', import.meta.url), 'utf8'),
};

/** Starts a toy. */
export async function startToy(
  behaviour: ToyBehaviour = {},
  options: Partial<ServerOptions> = {},
): Promise<Toy> {
  const seen: { call: CallContext; outcomes: CallOutcome[] }[] = [];
  const logged: { level: string; message: string }[] = [];
  const record = (level: string) => (_fields: object, message: string) =>
    void logged.push({ level, message });
  const server = await startServer({
    listen: [{ host: '127.0.0.1', port: 0 }],
    routes(router) {
      router.service(Health, {
        check: (request, context) => behaviour.check?.(request.service, context) ?? serving(),
        watch: (request, context) => (behaviour.watch ?? untilAborted)(request.service, context),
      });
      router.service(KvService, {
        get: async ({ key }, context) =>
          (await behaviour.get?.(key, context)) ?? { revision: BigInt(key.length) },
        watch: (_request, context) => behaviour.watchKv?.(context) ?? noMessages(),
      });
    },
    validate: () => {},
    observer: {
      began: (call) => void seen.push({ call, outcomes: [] }),
      ended: (call, outcome) => void seen.find((each) => each.call === call)?.outcomes.push(outcome),
    },
    httpRoutes: new Map(),
    corsOrigins: [],
    // Nothing is left to wait for at the end of most tests, except idle connections.
    drainTimeoutMs: 20,
    log: { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') },
    ...options,
  });
  const [listener] = server.listeners;
  if (listener === undefined) throw new Error('the server listens nowhere');
  const baseUrl = `${listener.scheme}://127.0.0.1:${listener.port}`;
  return {
    server,
    port: listener.port,
    baseUrl,
    seen,
    logged,
    health: (protocol) => createClient(Health, protocol.open(baseUrl)),
    kv: (protocol) => createClient(KvService, protocol.open(baseUrl)),
    [Symbol.asyncDispose]: () => server.drain(),
  };
}

/** A `check` that answers nobody before it is released. */
export function heldCheck(): { readonly check: () => Promise<Answer>; readonly release: () => void } {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return {
    release,
    check: async () => {
      await released;
      return { status: 1 };
    },
  };
}

/** Answers one message, then waits until the call is aborted, and throws why. */
export async function* untilAborted(_service: string, { signal }: HandlerContext): AsyncGenerator<Answer> {
  yield { status: 1 };
  await aborted(signal);
}

/** Rejects with the signal's reason once it is aborted. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

async function serving(): Promise<Answer> {
  return { status: 1 };
}

async function* noMessages(): AsyncGenerator<{ readonly resumeToken: string }> {}
