// A stream that goes on where it broke.
// What it begins with must work; once it has, whatever passes by itself is waited for.

import { setTimeout as delay } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { infoOf } from './failure.ts';

/** How a stream is opened, and goes on. */
export interface Resumable<Message> {
  /** Opens the stream: anew, or where `resumeToken` was. */
  readonly open: (
    resumeToken: string | undefined,
    options: { readonly signal: AbortSignal },
  ) => AsyncIterable<Message>;
  /** The token of a message; undefined: it has none, and the stream begins anew where it breaks. */
  readonly tokenOf: (message: Message) => string | undefined;
  /** Is told of each break, once for each series of attempts. */
  readonly onBreak?: (error: unknown) => void;
  /** Is told when a message comes again. */
  readonly onResumed?: () => void;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;

/**
 * Gives the messages of a stream, across broken connections and gateways that restart. Attempts are 100 ms to 5 s apart, by chance, each
 * about twice as far as the one before. Throws what the first attempt meets, what does not pass by itself, and on abort `signal.reason`.
 */
export async function* resume<Message>(
  { open, tokenOf, onBreak, onResumed }: Resumable<Message>,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Message, never> {
  let token: string | undefined;
  let wasOpen = false;
  let isBroken = false;
  let delayMs = FIRST_DELAY_MS;
  for (;;) {
    let cause: unknown;
    try {
      for await (const message of open(token, { signal })) {
        token = tokenOf(message) || token;
        wasOpen = true;
        delayMs = FIRST_DELAY_MS;
        if (isBroken) onResumed?.();
        isBroken = false;
        yield message;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!wasOpen || !doesPass(error)) throw error;
      token = infoOf(error)?.metadata['resume_token'] || token;
      cause = error;
    }
    signal.throwIfAborted();
    if (!isBroken) onBreak?.(cause);
    isBroken = true;
    await pause(delayMs * (0.5 + Math.random()), { signal });
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
  }
}

/** Whether waiting may help: the gateway says so, or the connection broke before it could say anything. */
export function doesPass(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  const info = infoOf(error);
  if (info !== undefined) return error.code === Code.Unavailable || info.reason === 'WATCH_TOO_SLOW';
  return [Code.Unavailable, Code.Aborted, Code.Internal, Code.Unknown, Code.Canceled].includes(error.code);
}

async function pause(ms: number, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Nothing but the abort ends it early.
    throw signal.reason;
  }
}
