import { runRegistersUnderFaults } from '../integration/kv/run-registers-under-faults.ts';
import { FAULT_KINDS } from '../support/make-cluster-trouble.ts';

/** A history is held in memory, and gets harder to check with each write of unknown outcome: there are many, on clusters of their own. */
const OPERATIONS_OF_A_HISTORY = 20_000;
const FAULT_EVERY_MS = 2_000;
const PAUSE_MS = 2_000;

/** Runs histories of registers until they have so many operations, and gives what is to be said of them. */
export async function soakRegisters(
  operations: number,
  etcdBinary: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly isFine: boolean; readonly lines: readonly string[] }> {
  let [histories, acknowledged, unknown, harms, seconds] = [0, 0, 0, 0, 0];
  const violations: string[] = [];
  while (acknowledged < operations && !signal.aborted) {
    const outcome = await runRegistersUnderFaults({
      operations: Math.min(OPERATIONS_OF_A_HISTORY, operations - acknowledged),
      faults: FAULT_KINDS,
      faultEveryMs: FAULT_EVERY_MS,
      pauseMs: PAUSE_MS,
      etcdBinary,
      signal,
    });
    histories += 1;
    acknowledged += outcome.acknowledged;
    unknown += outcome.unknown;
    harms += outcome.harms;
    seconds += outcome.seconds;
    violations.push(...outcome.violations);
  }
  return {
    isFine: violations.length === 0,
    lines: [
      `${histories} histories in ${seconds.toFixed(0)} s by 50 clients, under ${harms} faults of members, connections and gateways`,
      `operations of known outcome ${acknowledged}, writes of unknown outcome ${unknown}`,
      `violations of linearizability ${violations.length}`,
      ...violations.slice(0, 20),
    ],
  };
}
