import { fileURLToPath } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { kvCalls } from '../../support/kv-calls.ts';
import { outputOf, runProgram } from '../../support/run-program.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';

const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
const SERVICES = [
  'concord.kv.v1.KvService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];
/** Buf exits with the gRPC code, shifted by three bits. */
const NOT_FOUND_EXIT_CODE = 5 << 3;

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each(['grpc-v1', 'grpc-v1alpha'])('buf curl by reflection %s', (reflection) => {
  it('lists the services and their methods', async () => {
    const flags = ['curl', '--http2-prior-knowledge', '--reflect-protocol', reflection];
    const services = await outputOf(BUF, [...flags, '--list-services', gateway.url]);
    for (const service of SERVICES) expect(services.split('\n')).toContain(service);
    const methods = (await outputOf(BUF, [...flags, '--list-methods', gateway.url])).split('\n');
    for (const { rpc } of kvCalls()) expect(methods).toContain(`concord.kv.v1.KvService/${rpc}`);
    expect(methods).toContain('concord.kv.v1.KvService/Watch');
  });

  it('calls with what it learnt', async () => {
    const flags = [
      '--http2-prior-knowledge',
      '--reflect-protocol',
      reflection,
      '-d',
      '{"view":"VIEW_COUNT_ONLY"}',
    ];
    const answer = await outputOf(BUF, ['curl', ...flags, `${gateway.url}/concord.kv.v1.KvService/List`]);
    expect(JSON.parse(answer)).toHaveProperty('revision');
  });
});

describe.each(['grpc', 'grpcweb', 'connect'])('buf curl over %s', (protocol) => {
  it('makes every unary call', async () => {
    for (const { rpc, request, answer } of kvCalls()) {
      const url = `${gateway.url}/concord.kv.v1.KvService/${rpc}`;
      const flags = ['--protocol', protocol, '--http2-prior-knowledge', '-d', JSON.stringify(request)];
      expect(JSON.parse(await outputOf(BUF, ['curl', ...flags, url])), rpc).toMatchObject(answer);
    }
  });

  it('tells what an error names', async () => {
    const url = `${gateway.url}/concord.kv.v1.KvService/Get`;
    const flags = ['--protocol', protocol, '--http2-prior-knowledge', '-d', '{"key":"no/such: key"}'];
    const { exitCode, stderr } = await runProgram(BUF, ['curl', ...flags, url]);
    expect(exitCode, stderr).toBe(NOT_FOUND_EXIT_CODE);
    const { code, message, details } = JSON.parse(stderr) as BufError;
    expect(code).toBe('not_found');
    expect(message).toContain('"no/such: key"');
    expect(details.map(({ type }) => type)).toEqual(['google.rpc.ErrorInfo']);
    const info = fromBinary(ErrorInfoSchema, Buffer.from(details[0]?.value ?? '', 'base64'));
    expect(info).toMatchObject({
      reason: 'KEY_NOT_FOUND',
      domain: 'concord',
      metadata: { key: 'no/such: key' },
    });
  });

  it('learns that the gateway is ready', async () => {
    const flags = ['--protocol', protocol, '--http2-prior-knowledge'];
    const answer = await outputOf(BUF, ['curl', ...flags, `${gateway.url}/grpc.health.v1.Health/Check`]);
    expect(JSON.parse(answer)).toEqual({ status: 'SERVING' });
  });
});

interface BufError {
  readonly code: string;
  readonly message: string;
  /** `value` is the detail in base64. */
  readonly details: readonly { readonly type: string; readonly value: string }[];
}
