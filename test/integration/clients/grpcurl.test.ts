import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findGrpcurl } from '../../support/find-grpcurl.ts';
import { kvCalls } from '../../support/kv-calls.ts';
import { outputOf, runProgram } from '../../support/run-program.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const SERVICE = 'concord.kv.v1.KvService';
const grpcurl = await findGrpcurl();

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe('grpcurl', () => {
  if (grpcurl.kind === 'missing') {
    it(`is not tested here: ${grpcurl.why}`, () => expect(grpcurl.why).not.toBe(''));
    return;
  }
  const run = (...args: readonly string[]) => outputOf(grpcurl.path, ['-plaintext', ...args]);

  it('lists services and methods', async () => {
    const services = (await run(address(), 'list')).split('\n');
    expect(services).toEqual(expect.arrayContaining([SERVICE, 'grpc.health.v1.Health']));
    const methods = (await run(address(), 'list', SERVICE)).trim().split('\n');
    expect(methods).toEqual(
      [...new Set(kvCalls().map(({ rpc }) => rpc)), 'Watch'].map((rpc) => `${SERVICE}.${rpc}`).sort(),
    );
  });

  it('describes services, messages with their rules, enums and error reasons', async () => {
    expect(await run(address(), 'describe')).toContain(`${SERVICE} is a service`);
    expect(await run(address(), 'describe', `${SERVICE}.Watch`)).toContain(
      'stream .concord.kv.v1.WatchResponse',
    );
    const get = await run(address(), 'describe', 'concord.kv.v1.GetRequest');
    expect(get).toContain('(.buf.validate.field) = { string: { max_bytes: 4096 } }');
    expect(await run(address(), 'describe', 'concord.kv.v1.BatchPutRequest.Entry')).toContain(
      'bytes value_bytes',
    );
    expect(await run(address(), 'describe', 'concord.kv.v1.View')).toContain('VIEW_COUNT_ONLY');
    expect(await run(address(), 'describe', 'concord.error.v1.ErrorReason')).toContain('KEY_NOT_FOUND');
    expect(await run('-msg-template', address(), 'describe', 'concord.kv.v1.PutRequest')).toContain(
      '"leaseId"',
    );
  });

  it('makes every unary call', async () => {
    for (const { rpc, request, answer } of kvCalls()) {
      const output = await run('-d', JSON.stringify(request), address(), `${SERVICE}/${rpc}`);
      expect(JSON.parse(output), rpc).toMatchObject(answer);
    }
  });

  it('shows the details of an error, which it reads by reflection', async () => {
    const request = { key: 'x', value: 'text', valueBytes: 'AA==', expectedRevision: '-1' };
    const flags = ['-plaintext', '-format-error', '-d', JSON.stringify(request)];
    const { exitCode, stderr } = await runProgram(grpcurl.path, [...flags, address(), `${SERVICE}/Put`]);
    expect(exitCode).toBe(64 + 3);
    expect(JSON.parse(stderr)).toMatchObject({
      code: 3,
      details: [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'FIELD_INVALID', domain: 'concord' },
        {
          '@type': 'type.googleapis.com/buf.validate.Violations',
          violations: [{ ruleId: 'int64.gte' }, { ruleId: 'message.oneof' }],
        },
      ],
    });
  });
});

function address(): string {
  return `127.0.0.1:${gateway.port}`;
}
