import { type Caller, openCaller } from './caller.ts';
import type { LoadShape } from './load.ts';

/** Does one cycle of calls, each after the answer to the one before. `index` is how many cycles of all clients began before. */
export type Cycle = (index: number) => Promise<void>;

/** One client of a server, for one cycle at a time. */
export interface CycleClient {
  readonly run: Cycle;
  /** Gives up what it has, when all cycles went well. */
  close(): Promise<void>;
}

/** Before the time that counts, as a share of it: connections are new, and the server may have been idle. */
const LEAD_IN_SHARE = 0.1;
const LAST_CYCLES_TIMEOUT_MS = 10_000;

/**
 * Runs cycles for `seconds`, with `shape.inFlight` clients on each connection, each in a closed loop.
 *
 * @returns cycles that ended in the time that counts, per second
 * @throws Error at the first call that fails; `signal.reason` on abort
 */
export async function driveCycles(
  port: number,
  openClient: (caller: Caller) => Promise<CycleClient>,
  shape: LoadShape,
  seconds: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  const totalMs = seconds * (1 + LEAD_IN_SHARE) * 1_000;
  const late = AbortSignal.timeout(totalMs + LAST_CYCLES_TIMEOUT_MS);
  const options = { signal: AbortSignal.any([signal, late]) };
  using connections = new DisposableStack();
  const clients: CycleClient[] = [];
  for (let connection = 0; connection < shape.connections; connection += 1) {
    const caller = connections.use(await openCaller(port, options));
    for (let client = 0; client < shape.inFlight; client += 1) clients.push(await openClient(caller));
  }

  const untilMs = performance.now() + totalMs;
  const fromMs = untilMs - seconds * 1_000;
  let begun = 0;
  let counted = 0;
  async function loop({ run }: CycleClient): Promise<void> {
    while (performance.now() < untilMs) {
      await run(begun++);
      const nowMs = performance.now();
      if (nowMs >= fromMs && nowMs < untilMs) counted += 1;
    }
  }
  await Promise.all(clients.map(loop));
  await Promise.all(clients.map((client) => client.close()));
  return counted / seconds;
}
