import type { DescMethod, DescMethodServerStreaming, DescMethodUnary, Message } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import type { Batched } from '../../rpc/fields/batched.ts';

/** An rpc that takes one message, and both ways to serve it. */
export type DirectRpc = UnaryRpc | StreamRpc;

/** One that answers with one message. */
export interface UnaryRpc {
  readonly kind: 'unary';
  readonly method: DescMethodUnary;
  readonly serve: (request: Message, context: HandlerContext) => Promise<Message> | Message;
  readonly byLibrary: UniversalHandler;
}

/** One that answers with a stream of them. */
export interface StreamRpc {
  readonly kind: 'stream';
  readonly method: DescMethodServerStreaming;
  readonly serve: (request: Message, context: HandlerContext) => AsyncIterable<Message> | Batched<Message>;
  readonly byLibrary: UniversalHandler;
}

type Implementation = (...args: never[]) => unknown;

/** Registers routes with the library, and returns those that take one message by their path, such as `/concord.kv.v1.KvService/Get`. */
export function registerRoutes(
  router: ConnectRouter,
  routes: (router: ConnectRouter) => void,
): ReadonlyMap<string, DirectRpc> {
  const implementations = new Map<DescMethod, Implementation>();
  const recorder: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      router.service(service, implementation, options);
      for (const method of service.methods) {
        const serve = (implementation as Readonly<Record<string, Implementation | undefined>>)[
          method.localName
        ];
        if (serve !== undefined) implementations.set(method, serve.bind(implementation));
      }
      return recorder;
    },
    rpc(method, implementation, options) {
      router.rpc(method, implementation, options);
      implementations.set(method, implementation as Implementation);
      return recorder;
    },
  };
  routes(recorder);
  const rpcs = new Map<string, DirectRpc>();
  for (const byLibrary of router.handlers) {
    const { method, requestPath } = byLibrary;
    const serve = implementations.get(method);
    if (serve === undefined) continue;
    // The router has checked that the implementation is one of the method.
    if (method.methodKind === 'unary')
      rpcs.set(requestPath, { kind: 'unary', method, serve, byLibrary } as UnaryRpc);
    else if (method.methodKind === 'server_streaming')
      rpcs.set(requestPath, { kind: 'stream', method, serve, byLibrary } as StreamRpc);
  }
  return rpcs;
}
