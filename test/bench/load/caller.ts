import { envelop } from './envelope.ts';
import { connectHttp2Calls } from './http2-calls.ts';

/** Makes unary calls of gRPC on one connection, each of which may build on the answer to another. */
export interface Caller extends Disposable {
  /**
   * Calls at once, however many others are open.
   *
   * @returns the answer's message
   * @throws Error where any call of this connection fails: it is of no use any more
   */
  call(path: string, message: Uint8Array): Promise<Buffer>;
}

/** Opens a connection. It, and all calls that are open, fail with `signal.reason` on abort. */
export async function openCaller(
  port: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<Caller> {
  signal.throwIfAborted();
  const open = new Set<PromiseWithResolvers<Buffer>>();
  let failure: unknown;

  function fail(error: unknown): void {
    failure ??= error;
    for (const { reject } of open) reject(failure);
    open.clear();
  }

  const connection = await connectHttp2Calls<PromiseWithResolvers<Buffer>>(port, {
    onAnswer(answered, message) {
      open.delete(answered);
      answered.resolve(message);
    },
    onFailure: (error) => fail(new Error(`a call on port ${port}: ${error.message}`, { cause: error })),
  });
  const abort = () => fail(signal.reason);
  signal.addEventListener('abort', abort);

  return {
    call(path, message) {
      const answered = Promise.withResolvers<Buffer>();
      if (failure !== undefined) {
        answered.reject(failure);
        return answered.promise;
      }
      open.add(answered);
      connection.send(path, envelop(message), answered);
      connection.flush();
      return answered.promise;
    },
    [Symbol.dispose]() {
      signal.removeEventListener('abort', abort);
      fail(new Error('the connection was closed'));
      connection.close();
    },
  };
}
