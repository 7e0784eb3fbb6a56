import type { DescMethodUnary, Message, MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import type { UniversalHandler } from '@connectrpc/connect/protocol';

/** A unary rpc, and both ways to serve it. */
export interface UnaryRpc {
  readonly method: DescMethodUnary;
  readonly serve: Serve;
  readonly byLibrary: UniversalHandler;
}

type Serve = (
  request: Message,
  context: HandlerContext,
) => Promise<MessageInitShape<DescMethodUnary['output']>> | MessageInitShape<DescMethodUnary['output']>;

/** Registers routes with the library, and returns those of them that are unary by their path, such as `/concord.kv.v1.KvService/Get`. */
export function registerRoutes(
  router: ConnectRouter,
  routes: (router: ConnectRouter) => void,
): ReadonlyMap<string, UnaryRpc> {
  const implementations = new Map<unknown, Serve>();
  const recorder: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      router.service(service, implementation, options);
      for (const method of service.methods) {
        const serve = implementation[method.localName as keyof typeof implementation] as Serve | undefined;
        if (method.methodKind === 'unary' && serve !== undefined)
          implementations.set(method, serve.bind(implementation));
      }
      return recorder;
    },
    rpc(method, implementation, options) {
      router.rpc(method, implementation, options);
      if (method.methodKind === 'unary') implementations.set(method, implementation as Serve);
      return recorder;
    },
  };
  routes(recorder);
  const rpcs = new Map<string, UnaryRpc>();
  for (const byLibrary of router.handlers) {
    const { method, requestPath } = byLibrary;
    const serve = implementations.get(method);
    if (method.methodKind === 'unary' && serve !== undefined)
      rpcs.set(requestPath, { method: method as DescMethodUnary, serve, byLibrary });
  }
  return rpcs;
}
