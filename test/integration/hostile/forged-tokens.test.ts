import { randomUUID } from 'node:crypto';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  KvService,
  ListChildrenRequestSchema,
  ListRequestSchema,
  type WatchRequestSchema,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import { Order } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { prefixRange, spanOf } from '../../../src/domain/key-range.ts';
import { seal } from '../../../src/rpc/fields/sealed-text.ts';
import { failureOf } from '../../support/failure-of.ts';
import { startGatewayOnEtcd } from '../../support/start-gateway-on-etcd.ts';
import { expectDamageFound, failureIn } from './damaged-tokens.ts';

const BEYOND_INT64 = '9999999999999999999';
const WATCH_TIMEOUT_MS = 30_000;
/** What a token begins with. */
const DIGEST_BYTES = 9;

let gateway: Awaited<ReturnType<typeof startGatewayOnEtcd>>;
let kv: Client<typeof KvService>;
let prefix: string;
let revision: bigint;

beforeAll(async () => {
  gateway = await startGatewayOnEtcd();
  kv = createClient(KvService, createGrpcTransport({ baseUrl: gateway.url }));
  prefix = `tokens/${randomUUID()}/`;
  const keys = [`${prefix}a`, `${prefix}b`, `${prefix}c`, 'secret/before', 'x-secret/after'];
  ({ revision } = await kv.batchPut({ entries: keys.map((key) => ({ key })) }));
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
});

/** A token for a listing of `prefix`, sealed as the gateway seals its own, whatever it says. */
function forgedListToken(text: string, order: Order = Order.UNSPECIFIED): string {
  return seal(
    text,
    bindingOf(ListRequestSchema, toBinary(ListRequestSchema, create(ListRequestSchema, { prefix, order }))),
  );
}

function forgedChildrenToken(text: string): string {
  const request = create(ListChildrenRequestSchema, { parent: prefix });
  return seal(text, bindingOf(ListChildrenRequestSchema, toBinary(ListChildrenRequestSchema, request)));
}

function bindingOf({ typeName }: { readonly typeName: string }, request: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(typeName), request]);
}

/** A token for a watch of `prefix`. `text` follows the id of the cluster, which stands in `genuine`. */
function forgedResumeToken(genuine: string, text: string): string {
  const [cluster = ''] = Buffer.from(genuine, 'base64url')
    .subarray(DIGEST_BYTES)
    .toString('latin1')
    .split(' ');
  const { start, end } = spanOf(prefixRange(Buffer.from(prefix)));
  return seal(
    `${cluster} ${text}`,
    Buffer.concat([Buffer.from(`watch ${start.length} closed `), start, end ?? start]),
  );
}

/** Returns the token that a watch begins with. */
async function firstResumeToken(request: MessageInitShape<typeof WatchRequestSchema>): Promise<string> {
  for await (const { resumeToken } of kv.watch({ prefix, ...request }, { timeoutMs: WATCH_TIMEOUT_MS })) {
    return resumeToken;
  }
  throw new Error('the watch said nothing');
}

function keyText(key: string): string {
  return Buffer.from(key).toString('base64url');
}

describe('a page token that somebody made himself', () => {
  it('is taken where it says what the gateway would have said, which shows that these tests seal as it does', async () => {
    const { kvs } = await kv.list({
      prefix,
      pageToken: forgedListToken(`${revision} 3 ${keyText(`${prefix}a`)}`),
    });
    expect(kvs.map(({ key }) => key)).toEqual([`${prefix}b`, `${prefix}c`]);
  });

  it.each([
    [`${BEYOND_INT64} 3 `, 'a revision that no int64 holds'],
    [`1 ${BEYOND_INT64} `, 'a size that no int64 holds'],
    ['0 3 ', 'the revision 0'],
    ['9223372036854775807 3 ', 'a revision to come'],
  ])('is refused, or harmless, with "%s": %s', async (text) => {
    for (const call of [
      () => kv.list({ prefix, pageToken: forgedListToken(`${text}${keyText(prefix)}`) }),
      () => kv.listChildren({ parent: prefix, pageToken: forgedChildrenToken(`${text}${keyText(prefix)}`) }),
    ]) {
      const failure = await failureIn(call());
      if (failure !== undefined) expect(['InvalidArgument', 'OutOfRange']).toContain(failure.code);
    }
  });

  it.each([
    ['', Order.UNSPECIFIED],
    ['secret/', Order.UNSPECIFIED],
    ['x-secret/z', Order.DESCENDING],
    ['\u{10ffff}', Order.DESCENDING],
  ])('shows no key outside of the range that was asked for, from "%s" on', async (after, order) => {
    const keys: string[] = [];
    const pageToken = forgedListToken(`${revision} 3 ${keyText(after)}`, order);
    try {
      for (const found of (await kv.list({ prefix, order, pageToken })).kvs) keys.push(found.key);
    } catch (error) {
      expect(await failureOf(Promise.reject(error))).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    }
    expect(keys.filter((key) => !key.startsWith(prefix))).toEqual([]);
  });

  it('shows no name outside of the parent that was asked for', async () => {
    const names: string[] = [];
    try {
      const pageToken = forgedChildrenToken(`${revision} 0 ${keyText('secret/')}`);
      for (const { name } of (await kv.listChildren({ parent: prefix, pageToken })).children)
        names.push(name);
    } catch (error) {
      expect(await failureOf(Promise.reject(error))).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    }
    expect(names.filter((name) => !['a', 'b', 'c'].includes(name))).toEqual([]);
  });
});

describe('a damaged token', () => {
  it('of a listing is found out', async () => {
    const { nextPageToken } = await kv.list({ prefix, pageSize: 1 });
    await expectDamageFound(nextPageToken, 'PAGE_TOKEN_INVALID', (pageToken) =>
      kv.list({ prefix, pageSize: 1, pageToken }),
    );
  });

  it('of a watch is found out', async () => {
    await expectDamageFound(await firstResumeToken({}), 'RESUME_TOKEN_INVALID', (resumeToken) =>
      firstResumeToken({ resumeToken }),
    );
  });
});

describe('a resume token that somebody made himself', () => {
  it('is taken where it says what the gateway would have said', async () => {
    const genuine = await firstResumeToken({});
    expect(await firstResumeToken({ resumeToken: forgedResumeToken(genuine, `${revision} 0`) })).toMatch(/./);
  });

  it.each([`${BEYOND_INT64} 0`, '9223372036854775807 0', '0 0', '0 1', `${BEYOND_INT64} 1`])(
    'is refused, or harmless, with "%s"',
    async (text) => {
      const resumeToken = forgedResumeToken(await firstResumeToken({}), text);
      const failure = await failureIn(firstResumeToken({ resumeToken }));
      if (failure !== undefined) expect(['InvalidArgument', 'OutOfRange']).toContain(failure.code);
    },
  );
});
