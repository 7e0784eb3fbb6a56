import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findPythonGrpc } from '../../support/find-python-grpc.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { outputOf } from '../../support/run-program.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { generatePython } from './fixture/generate-python.ts';

const CLIENT = fileURLToPath(new URL('fixture/coordination_client.py', import.meta.url));

const python = await findPythonGrpc();

describe('a Python client made from proto/ alone', () => {
  if (python.kind === 'missing') {
    it(`is not tested here: ${python.why}`, () => expect(python.why).not.toBe(''));
    return;
  }

  it('takes a lock and the lead of an election, writes fenced, and gives them up', async () => {
    await using temp = await openTempDir();
    await using gateway = await startGatewayOnEtcd();
    await generatePython(python.path, temp.path);
    const output = await outputOf(python.path, [CLIENT, `127.0.0.1:${gateway.port}`, randomUUID()], {
      env: { PYTHONPATH: temp.path, PYTHONDONTWRITEBYTECODE: '1' },
      timeoutMs: 60_000,
    });
    expect(JSON.parse(output)).toEqual({
      held: 'LOCK_HELD',
      afterRelease: 'FENCE_LOST',
      tokensGrow: true,
      hasLease: true,
      leader: 'python',
      afterResign: 'FENCE_LOST',
      value: 'led',
    });
  }, 120_000);
});
