/** Reads a stream into a list that a test can look at while it grows. */
export interface Collected<T> extends AsyncDisposable {
  readonly messages: readonly T[];
  /** How the stream ended; undefined while it runs. */
  readonly end: { readonly error: unknown } | undefined;
  /** Resolves with the first message from `from` on that `matches`; rejects when the stream ends, or after `timeoutMs`. */
  find(
    matches: (message: T) => boolean,
    options?: { readonly from?: number; readonly timeoutMs?: number },
  ): Promise<T>;
}

/** Starts to read; disposing aborts `controller`, which the stream must have been opened with. */
export function collect<T>(stream: AsyncIterable<T>, controller: AbortController): Collected<T> {
  const messages: T[] = [];
  const waiting = new Set<() => void>();
  let end: { readonly error: unknown } | undefined;
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  const reading = (async () => {
    let error: unknown;
    try {
      for await (const message of stream) {
        messages.push(message);
        wake();
      }
    } catch (thrown) {
      error = thrown;
    }
    end = { error };
    wake();
  })();
  return {
    messages,
    get end() {
      return end;
    },
    find(matches, { from = 0, timeoutMs = 30_000 } = {}) {
      let looked = from;
      return new Promise<T>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`no such message in ${timeoutMs} ms; ${messages.length} came`));
        }, timeoutMs);
        function settle(action: () => void): void {
          clearTimeout(timer);
          waiting.delete(check);
          action();
        }
        function check(): void {
          for (; looked < messages.length; looked++) {
            const message = messages[looked];
            if (message === undefined || !matches(message)) continue;
            settle(() => resolve(message));
            return;
          }
          if (end !== undefined) {
            const cause = end.error;
            settle(() => reject(cause instanceof Error ? cause : new Error('the stream ended')));
          }
        }
        waiting.add(check);
        check();
      });
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await reading;
    },
  };
}
