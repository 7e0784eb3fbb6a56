import { describe, expect, it } from 'vitest';
import { checkHistory } from '../../support/linearizability/check-history.ts';
import { History } from '../../support/linearizability/history.ts';
import { FAULT_KINDS } from '../../support/make-cluster-trouble.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { answerFromMemory } from './answer-from-memory.ts';
import { runRegisterClients } from './run-register-clients.ts';
import { runRegistersUnderFaults } from './run-registers-under-faults.ts';

const MIN_OPERATIONS = 1_500;

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

  it('would be found out if some reads were answered from memory', async () => {
    await using gateway = await startGatewayOnEtcd();
    const run = async (prefix: string, every: number) => {
      const history = new History();
      await runRegisterClients({
        gateways: [gateway.url],
        prefix,
        history,
        goesOn: () => history.acknowledged < 1_000,
        lone: 0,
        wrap: (calls) => answerFromMemory(calls, every),
      });
      return checkHistory(history.operations).join('\n');
    };
    expect(await run('asked/', Number.POSITIVE_INFINITY)).toBe('');
    expect(await run('remembered/', 3)).toMatch(/there is no order of\n.*\n.* get /);
  }, 120_000);
});
