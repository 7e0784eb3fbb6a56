import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../support/linearizability/check-history.ts';
import { History } from '../../support/linearizability/history.ts';
import { FAULT_KINDS } from '../../support/make-cluster-trouble.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { answerFromMemory } from './answer-from-memory.ts';
import { runRegisterClients } from './run-register-clients.ts';
import { runRegistersUnderFaults } from './run-registers-under-faults.ts';

const MIN_OPERATIONS = 3_000;

describe('keys that many clients read and write at once', () => {
  it('are linearizable while members, connections and gateways go wrong', async () => {
    const outcome = await runRegistersUnderFaults({
      operations: MIN_OPERATIONS,
      faults: FAULT_KINDS,
      faultEveryMs: 500,
      pauseMs: 1_000,
    });
    expect(outcome.violations.join('\n')).toBe('');
    expect(outcome.acknowledged).toBeGreaterThanOrEqual(MIN_OPERATIONS);
    expect(outcome.harms).toBeGreaterThanOrEqual(FAULT_KINDS);
  }, 600_000);

  it('would be found out if a few reads were answered from memory', async () => {
    await using gateway = await startGatewayOnEtcd();
    const history = new History();
    const run = (operations: number, every: number) =>
      runRegisterClients({
        gateways: [gateway.url],
        history,
        goesOn: () => history.acknowledged < operations,
        lone: 0,
        wrap: (calls) => answerFromMemory(calls, every),
      });
    await run(500, Number.POSITIVE_INFINITY);
    expect(checkHistory(history.operations)).toEqual([]);
    await run(1_000, 20);
    const violations = checkHistory(history.operations).join('\n');
    expect(violations).toMatch(/there is no order of\n.*\n.* get /);
  }, 120_000);
});
