import { median } from '../statistics.ts';
import type { Call, CallConnection, OpenCall } from './call.ts';
import { createHttp1Connector } from './http1-connection.ts';
import { createHttp2Connector } from './http2-connection.ts';
import type { LoadResult, LoadShape } from './load.ts';

/** Before the time that counts, as a share of it: connections are new, and the server may have been idle. */
const LEAD_IN_SHARE = 0.1;
const LAST_ANSWERS_TIMEOUT_MS = 10_000;
const CHECK_EVERY = 64;

/**
 * The load generator of our own: a closed loop in this process over raw sockets. Keeps `shape.inFlight` calls open on each connection for `seconds`, walking through the call's requests in order over all
 * connections.
 *
 * @throws Error at the first answer that is no success, is too short, or is not the right one; `signal.reason` on abort.
 */
export async function driveClosedLoop(
  port: number,
  call: Call,
  shape: LoadShape,
  seconds: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<LoadResult> {
  signal.throwIfAborted();
  const { promise: finished, resolve: finish, reject: fail } = Promise.withResolvers<void>();
  finished.catch(() => {});
  const connect =
    call.protocol === 'grpc' ? createHttp2Connector(port, call) : createHttp1Connector(port, call);
  const connections: CallConnection[] = [];
  const latenciesMs: number[] = [];
  let sent = 0;
  let answers = 0;
  let openCalls = 0;
  let countFromMs = 0;
  let countUntilMs = 0;

  async function openConnection(): Promise<void> {
    const onFailure = (error: Error) =>
      fail(new Error(`${call.path} on port ${port}: ${error.message}`, { cause: error }));
    const onAnswer = (open: OpenCall, message: Buffer) => {
      const now = performance.now();
      checkAnswer(call, open.index, message, answers);
      answers += 1;
      openCalls -= 1;
      if (now >= countFromMs && now < countUntilMs) latenciesMs.push(now - open.sentAtMs);
      if (now < countUntilMs) sendNext(connection);
      else if (openCalls === 0) finish();
    };
    const connection = await connect({ onAnswer, onFailure });
    connections.push(connection);
  }

  function sendNext(connection: CallConnection): void {
    connection.send(sent % call.requests.length);
    sent += 1;
    openCalls += 1;
  }

  const abort = () => fail(signal.reason);
  signal.addEventListener('abort', abort);
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.all(Array.from({ length: shape.connections }, openConnection));
    const totalMs = seconds * (1 + LEAD_IN_SHARE) * 1_000;
    countUntilMs = performance.now() + totalMs;
    countFromMs = countUntilMs - seconds * 1_000;
    const late = new Error(`${call.path} on port ${port}: calls were left without answer`);
    timer = setTimeout(() => fail(late), totalMs + LAST_ANSWERS_TIMEOUT_MS);
    for (const connection of connections) {
      for (let calls = 0; calls < shape.inFlight; calls += 1) sendNext(connection);
      connection.flush();
    }
    await finished;
    return {
      driver: 'own',
      perSecond: latenciesMs.length / seconds,
      medianMs: latenciesMs.length === 0 ? Number.NaN : median(latenciesMs),
      answers,
      cutOff: 0,
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    for (const connection of connections) connection.close();
  }
}

function checkAnswer(call: Call, index: number, message: Buffer, count: number): void {
  if (message.length < call.minAnswerBytes) {
    throw new Error(`an answer of ${message.length} bytes; at least ${call.minAnswerBytes} were expected`);
  }
  if (count % CHECK_EVERY === 0) call.check(message, index);
}
