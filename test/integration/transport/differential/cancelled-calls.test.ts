import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BY_LIBRARY,
  PROMPT_METHODS,
  startBothWays,
  WAITING_METHODS,
} from '../../../support/differential/both-ways.ts';
import { type RandomCall, randomCalls } from '../../../support/differential/random-calls.ts';
import { eventually } from '../../../support/eventually.ts';

const CALLS = 1_000;
const AT_ONCE = 25;
const MAX_WAIT_MS = 8;
const CODES = [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_INTERNAL_ERROR];
const METHODS = [...PROMPT_METHODS, ...WAITING_METHODS];

describe('a call that is cut off', () => {
  it(`leaves nothing open, past the library and by it: ${CALLS} at random`, {
    timeout: 300_000,
  }, async () => {
    await using both = await startBothWays();
    const seed = Math.floor(Math.random() * 2 ** 31);
    const cuts = fc.record({
      call: randomCalls(METHODS, { 'connect-timeout-ms': '60000', 'grpc-timeout': '1M' }),
      code: fc.constantFrom(...CODES),
      sentBytes: fc.double({ min: 0, max: 2, noNaN: true }),
      waitMs: fc.nat({ max: MAX_WAIT_MS }),
    });
    for (const [i, { gateway }] of both.targets.entries()) {
      const session = connect(gateway.url);
      const waiting = fc.sample(cuts, { numRuns: CALLS / 2, seed }).values();
      const work = async (): Promise<void> => {
        for (const { call, ...cut } of waiting) await cutOff(session, call, i === 0 ? {} : BY_LIBRARY, cut);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      await eventually(async () => {
        const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
        expect(metrics, `with the seed ${seed}`).not.toMatch(/^concord_rpc_in_flight\{.*\} [1-9]/m);
      });
      session.destroy();
    }
    await both.check();
  });
});

/** Sends so much of a call, waits, and resets its stream. */
async function cutOff(
  session: ClientHttp2Session,
  { request }: RandomCall,
  more: Readonly<Record<string, string>>,
  cut: { readonly code: number; readonly sentBytes: number; readonly waitMs: number },
): Promise<void> {
  const { 'content-length': _length, ...headers } = request.headers;
  const stream = session.request({ ':method': 'POST', ':path': request.path, ...headers, ...more });
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.on('error', () => {});
  stream.resume();
  const isWhole = cut.sentBytes >= 1;
  stream.write(request.body.subarray(0, isWhole ? undefined : cut.sentBytes * request.body.length));
  if (isWhole) stream.end();
  await delay(cut.waitMs);
  stream.close(cut.code);
  await closed;
}
