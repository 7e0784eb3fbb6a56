// One etcd member: its connection, and whether it is worth asking.

import type { ClientDuplexStream, Metadata, ServiceError } from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { Etcd3, type ILeaseKeepAliveResponse, type IWatchResponse } from 'etcd3';
import type { Cancellation } from '../domain/cancellation.ts';
import type { StatusError } from './status.ts';

/** Certificates for TLS to etcd, as PEM. */
export interface EtcdTls {
  readonly ca: Buffer;
  /** The gateway's own certificate and key, for mutual TLS. */
  readonly identity?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

/** The services of etcd that are called. */
export type EtcdServiceName = 'KV' | 'Lease' | 'Auth' | 'Maintenance';

/** An answer, or the status that it failed with. */
export type Answer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: StatusError };

/** A call of the KV service as bytes: etcd3's codec, which knows every message, takes several times as long. */
export interface EncodedCall<T> {
  /** For example "/etcdserverpb.KV/Range". */
  readonly path: string;
  readonly request: Buffer;
  /** Reads the answer; what it throws is a failure of the call. */
  readonly decode: (answer: Buffer) => T;
}

/** What a call takes. */
export interface MemberCall {
  readonly metadata: Metadata;
  /** When the call is given up, in milliseconds of the wall clock (gRPC's own measure). */
  readonly deadline: number;
  readonly cancellation: Cancellation | undefined;
}

type Done<T> = (error: ServiceError | null, value?: T) => void;

type UnaryMethod<T> = (
  request: object,
  metadata: Metadata,
  options: { readonly deadline: number },
  done: Done<T>,
) => { cancel(): void };

/** A stream of watches. */
export type WatchCall = ClientDuplexStream<object, IWatchResponse>;

/** A stream of renewals of leases. */
export type KeepAliveCall = ClientDuplexStream<object, ILeaseKeepAliveResponse>;

/** The largest answer taken from etcd, in bytes; etcd itself sends up to 2 GiB. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

// Reconnect quickly: with etcd3's policies off, this back-off alone decides how soon a member that is back is found.
// Keepalive finds a peer that is gone without a word; below 5 s etcd answers it with GOAWAY (--grpc-keepalive-min-time).
const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MAX_ANSWER_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
};

/**
 * A member, on etcd3's connection pool and nothing else of it: its policies (retries of writes, a breaker that one slow caller
 * trips for all, channels closed by a canceled call) are off, and what it would throw is returned instead.
 */
export class Member extends Etcd3 {
  readonly endpoint: string;
  /** Until when, in milliseconds of the monotonic clock, others are asked first. */
  #suspectUntilMs = 0;

  constructor(endpoint: string, tls: EtcdTls | undefined) {
    super({
      hosts: endpoint,
      grpcOptions: CHANNEL_OPTIONS,
      faultHandling: { global: noop, host: () => noop },
      ...(tls === undefined
        ? {}
        : {
            credentials: {
              rootCertificate: tls.ca,
              ...(tls.identity && { privateKey: tls.identity.key, certChain: tls.identity.cert }),
            },
          }),
    });
    this.endpoint = endpoint;
  }

  /** Whether others should be asked first. */
  get isSuspect(): boolean {
    return performance.now() < this.#suspectUntilMs;
  }

  /** Has others asked first for so long. */
  suspect(forMs: number): void {
    this.#suspectUntilMs = performance.now() + forMs;
  }

  /** Takes back a suspicion. */
  trust(): void {
    this.#suspectUntilMs = 0;
  }

  /** Calls one method once. Never rejects for what the member or the network did. */
  async call<T>(
    service: EtcdServiceName,
    method: string,
    request: object,
    call: MemberCall,
  ): Promise<Answer<T>> {
    return this.pool.withConnection(service, ({ client }) =>
      unary<T>(call, (done) => {
        const run = Reflect.get(client, method) as UnaryMethod<T>;
        return run.call(client, request, call.metadata, { deadline: call.deadline }, done);
      }),
    );
  }

  /** Calls one method of the KV service once. Never rejects for what the member or the network did. */
  async exchange<T>({ path, request, decode }: EncodedCall<T>, call: MemberCall): Promise<Answer<T>> {
    return this.pool.withConnection('KV', ({ client }) =>
      unary<T>(call, (done) => {
        const { metadata, deadline } = call;
        return client.makeUnaryRequest(path, asItIs, decode, request, metadata, { deadline }, done);
      }),
    );
  }

  /** Opens a stream of watches. A member that cannot be reached is an error of the stream. */
  async openWatch(metadata: Metadata): Promise<WatchCall> {
    return this.#openStream('Watch', 'watch', metadata);
  }

  /** Opens a stream of renewals. A member that cannot be reached is an error of the stream. */
  async openKeepAlive(metadata: Metadata): Promise<KeepAliveCall> {
    return this.#openStream('Lease', 'leaseKeepAlive', metadata);
  }

  async #openStream<T>(
    service: 'Watch' | 'Lease',
    method: string,
    metadata: Metadata,
  ): Promise<ClientDuplexStream<object, T>> {
    return this.pool.withConnection(service, ({ client }) => {
      const open = Reflect.get(client, method) as (metadata: Metadata) => ClientDuplexStream<object, T>;
      return open.call(client, metadata);
    });
  }
}

function unary<T>(
  { cancellation }: MemberCall,
  start: (done: Done<T>) => { cancel(): void },
): Promise<Answer<T>> {
  return new Promise((resolve) => {
    const cancel = { handleEvent: () => active.cancel() };
    const active = start((error, value) => {
      cancellation?.removeEventListener('abort', cancel);
      resolve(error === null ? { kind: 'ok', value: value as T } : { kind: 'failed', error });
    });
    if (cancellation?.aborted) active.cancel();
    else cancellation?.addEventListener('abort', cancel, { once: true });
  });
}

function asItIs(request: Buffer): Buffer {
  return request;
}
