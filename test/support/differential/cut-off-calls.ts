import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { eventually } from '../eventually.ts';
import { type BothWays, BY_LIBRARY, PROMPT_METHODS, WAITING_METHODS } from './both-ways.ts';
import { randomSeed } from './compare-calls.ts';
import { type RandomCall, randomCalls } from './random-calls.ts';

const AT_ONCE = 25;
const MAX_WAIT_MS = 8;
const CODES = [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR];
const LONG = { 'connect-timeout-ms': '60000', 'grpc-timeout': '1M' };
const IN_FLIGHT = /^concord_rpc_in_flight\{.*\} [1-9]/m;

/** Where a call is cut off. */
interface Cut {
  readonly code: number;
  /** How much of the body is sent before, as a share; all of it from 1 on. */
  readonly sent: number;
  readonly waitMs: number;
}

/** What is cut off. */
export interface CutOffOptions {
  /** Half of them go by the library. */
  readonly calls: number;
  /** @default another one each time */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal;
}

/** Sends random calls both ways that are cut off amid their body or while they are served. Throws where one is left open. */
export async function cutOffCalls(
  both: BothWays,
  { calls, seed = randomSeed(), signal }: CutOffOptions,
): Promise<void> {
  const cuts = fc.record({
    call: randomCalls([...PROMPT_METHODS, ...WAITING_METHODS], LONG),
    code: fc.constantFrom(...CODES),
    sent: fc.double({ min: 0, max: 2, noNaN: true }),
    waitMs: fc.nat({ max: MAX_WAIT_MS }),
  });
  for (const [i, { gateway }] of both.targets.entries()) {
    const session = connect(gateway.url);
    const waiting = fc.sample(cuts, { numRuns: Math.ceil(calls / 2), seed }).values();
    const work = async (): Promise<void> => {
      for (const { call, ...cut } of waiting) {
        signal?.throwIfAborted();
        await cutOff(session, call, i === 0 ? {} : BY_LIBRARY, cut);
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      await eventually(async () => {
        const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
        const left = IN_FLIGHT.exec(metrics);
        if (left !== null) throw new Error(`calls are left open, with the seed ${seed}: ${left[0]}`);
      });
    } finally {
      session.destroy();
    }
  }
}

/** Sends so much of a call, waits, and resets its stream. */
async function cutOff(
  session: ClientHttp2Session,
  { request }: RandomCall,
  more: Readonly<Record<string, string>>,
  { code, sent, waitMs }: Cut,
): Promise<void> {
  const { 'content-length': _length, ...headers } = request.headers;
  const stream = session.request({ ':method': 'POST', ':path': request.path, ...headers, ...more });
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.on('error', () => {});
  stream.resume();
  const isWhole = sent >= 1;
  stream.write(request.body.subarray(0, isWhole ? undefined : sent * request.body.length));
  if (isWhole) stream.end();
  await delay(waitMs);
  stream.close(code);
  await closed;
}
