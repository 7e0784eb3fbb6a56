import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kvCalls } from '../../support/kv-calls.ts';
import { outputOf } from '../../support/run-program.ts';
import type { TestGateway } from '../../support/start-gateway.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { findOnPath } from '../../support/test-program.ts';

const curl = await findOnPath('curl');

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

describe.each([
  ['1.1', []],
  ['1.0', ['--http1.0']],
  ['2', ['--http2-prior-knowledge']],
  ['1.1 with an offer to upgrade', ['--http2']],
] as const)('curl over HTTP/%s', (_, versionFlags) => {
  if (curl.kind === 'missing') {
    it(`is not tested here: ${curl.why}`, () => expect(curl.why).not.toBe(''));
    return;
  }
  const fetchWith = (flags: readonly string[], rpc: string) =>
    answerOf(curl.path, [...versionFlags, ...flags], rpc);
  const post = (rpc: string, body: string) =>
    fetchWith(['-H', 'content-type: application/json', '--data-binary', body], rpc);
  const get = (rpc: string, query: string) => fetchWith([], `${rpc}?${query}`);

  it('posts JSON to every unary rpc', async () => {
    for (const { rpc, request, answer } of kvCalls()) {
      const { status, body } = await post(rpc, JSON.stringify(request));
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body, rpc).toMatchObject(answer);
    }
  });

  it('gets what has no side effects', async () => {
    const key = `clients/${randomUUID()}/ключ`;
    await post('Put', JSON.stringify({ key, value: 'välue' }));
    const message = JSON.stringify({ key });
    const queries = [
      `encoding=json&connect=v1&message=${encodeURIComponent(message)}`,
      `encoding=json&base64=1&message=${Buffer.from(message).toString('base64url')}`,
      `message=${encodeURIComponent(Buffer.from(message).toString('base64'))}&encoding=json&base64=1`,
    ];
    for (const query of queries) {
      const { status, headers, body } = await get('Get', query);
      expect(status, JSON.stringify(body)).toBe(200);
      expect(body).toMatchObject({ kv: { key, value: 'välue' } });
      expect(headers).toMatch(/^cache-control: no-store\r$/im);
    }
  });

  it('may not get what has side effects', async () => {
    const key = `clients/${randomUUID()}`;
    const query = `encoding=json&message=${encodeURIComponent(JSON.stringify({ key }))}`;
    const { status, headers, body } = await get('Put', query);
    expect(status).toBe(405);
    expect(headers).toMatch(/^allow: POST\r$/im);
    expect(reasonsOf(body)).toEqual(['REQUEST_MALFORMED']);
    expect(
      await get('List', `encoding=json&message=${encodeURIComponent(JSON.stringify({ prefix: key }))}`),
    ).toMatchObject({ status: 200, body: expect.not.objectContaining({ totalSize: '1' }) });
  });

  it('is answered an error as JSON, with the HTTP status of its code and a request id', async () => {
    const key = `clients/${randomUUID()}`;
    await post('Put', JSON.stringify({ key }));
    const errors = [
      ['Get', { key: 'no/such' }, 404, 'not_found', 'KEY_NOT_FOUND'],
      ['Get', { key: '' }, 400, 'invalid_argument', 'FIELD_INVALID'],
      ['Get', { key, revision: '9000000' }, 400, 'out_of_range', 'REVISION_IN_FUTURE'],
      ['Put', { key, expectedRevision: '0' }, 409, 'aborted', 'REVISION_MISMATCH'],
      ['Put', { key, fence: { lock: 'l', token: '1' } }, 400, 'failed_precondition', 'FENCE_LOST'],
      ['Nothing', {}, 404, 'unimplemented', 'NOT_SUPPORTED'],
    ] as const;
    for (const [rpc, request, status, code, reason] of errors) {
      const answer = await post(rpc, JSON.stringify(request));
      expect(answer, rpc).toMatchObject({ status, body: { code, message: expect.stringMatching(/\w/) } });
      expect(reasonsOf(answer.body)).toEqual([reason]);
      expect(answer.headers).toMatch(/^content-type: application\/json\r$/im);
      expect(answer.headers).toMatch(/^x-request-id: \S+\r$/im);
    }
  });

  it('is told that the gateway lives and is ready', async () => {
    for (const [path, text] of [
      ['/healthz', 'ok\n'],
      ['/readyz', 'ready\n'],
    ]) {
      expect(await outputOf(curl.path, ['-sS', ...versionFlags, gateway.url + path])).toBe(text);
    }
  });
});

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: object;
}

async function answerOf(path: string, flags: readonly string[], rpc: string): Promise<Answer> {
  const url = `${gateway.url}/concord.kv.v1.KvService/${rpc}`;
  const output = await outputOf(path, ['-sS', '-i', ...flags, url]);
  const end = output.indexOf('\r\n\r\n');
  const headers = output.slice(0, end + 2);
  return { headers, status: Number(headers.split(' ')[1]), body: JSON.parse(output.slice(end)) as object };
}

function reasonsOf(body: object): unknown[] {
  const { details = [] } = body as {
    readonly details?: readonly { readonly debug: { readonly reason?: string } }[];
  };
  return details.map(({ debug }) => debug.reason).filter((reason) => reason !== undefined);
}
