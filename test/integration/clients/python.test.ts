import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findPythonGrpc } from '../../support/find-python-grpc.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { outputOf } from '../../support/run-program.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { generatePython } from './fixture/generate-python.ts';

const CLIENT = fileURLToPath(new URL('fixture/kv_client.py', import.meta.url));

const python = await findPythonGrpc();

describe('a Python client made from proto/ alone', () => {
  if (python.kind === 'missing') {
    it(`is not tested here: ${python.why}`, () => expect(python.why).not.toBe(''));
    return;
  }

  it('writes, reads and understands errors', async () => {
    await using temp = await openTempDir();
    await using gateway = await startGatewayOnEtcd();
    await generatePython(python.path, temp.path);

    const prefix = `clients/${randomUUID()}/`;
    const keyBytes = Buffer.concat([Buffer.from(prefix), Buffer.of(0xff, 0x00)]).toString('hex');
    const output = await outputOf(python.path, [CLIENT, `127.0.0.1:${gateway.port}`, prefix], {
      env: { PYTHONPATH: temp.path, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect(JSON.parse(output)).toMatchObject({
      isNewerThanPut: true,
      value: 'välue',
      sameLease: true,
      rawValue: 'fe',
      keys: [`${prefix}ключ`, keyBytes],
      txn: [true, 'välue'],
      missing: {
        code: 'NOT_FOUND',
        message: expect.stringContaining(`"${prefix}"`),
        domain: 'concord',
        reason: 'KEY_NOT_FOUND',
        reasonNumber: 40,
        metadata: { key: prefix },
      },
      invalid: { code: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', rules: ['int32.gte_lte'] },
    });
  });
});
