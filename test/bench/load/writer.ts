import type { Call } from './call.ts';
import { createHttp2Connector } from './http2-connection.ts';

/** Writes to etcd, past what is measured. */
export interface Writer extends Disposable {
  /** Sends the next `count` requests at once, after the last one the first again; resolves when all were answered. */
  write(count: number): Promise<void>;
}

/** Opens one connection over gRPC for one kind of call. Every answer is read whole. */
export async function openWriter(port: number, call: Call): Promise<Writer> {
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const connect = createHttp2Connector(port, call);
  let sent = 0;
  let unanswered = 0;
  let answered = Promise.withResolvers<void>();

  const connection = await connect({
    onAnswer({ index }, message) {
      call.check(message, index);
      unanswered -= 1;
      if (unanswered === 0) answered.resolve();
    },
    onFailure(error) {
      fail(new Error(`${call.path} on port ${port}: ${error.message}`, { cause: error }));
    },
  });

  return {
    async write(count) {
      answered = Promise.withResolvers();
      unanswered = count;
      for (let index = 0; index < count; index += 1) {
        connection.send(sent % call.requests.length);
        sent += 1;
      }
      connection.flush();
      await Promise.race([answered.promise, failed]);
    },
    [Symbol.dispose]: connection.close,
  };
}
