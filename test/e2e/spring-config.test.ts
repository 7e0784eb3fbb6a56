// The process as a client of Spring Cloud Config meets it, with requests such as Spring's own client sends (that one is in
// spring-boot.test.ts, and needs Java and Maven).

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentType } from '../../gen/concord/config/v1/config_item_pb.ts';
import { openClients } from '../support/open-clients.ts';
import { type RunningConcord, runConcord } from '../support/run-concord.ts';
import { outputOf } from '../support/run-program.ts';
import { findOnPath } from '../support/test-program.ts';

const TOKEN = 'token-of-the-shop';
const PASSWORD = 'correct horse battery staple';
/** What a client sends with every request. */
const ACCEPT = { accept: 'application/json' };
const BASIC = { ...ACCEPT, authorization: `Basic ${Buffer.from(`any:${TOKEN}`).toString('base64')}` };

const curl = await findOnPath('curl');

/** What a client takes from the answer. */
interface Environment {
  readonly name: string;
  readonly profiles: readonly string[];
  readonly label: string | null;
  readonly version: string;
  readonly state: string | null;
  readonly propertySources: readonly {
    readonly name: string;
    readonly source: Readonly<Record<string, unknown>>;
  }[];
}

let concord: RunningConcord;

beforeAll(async () => {
  concord = await runConcord({
    env: {
      CONCORD_SECRET_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
      CONCORD_SECRET_TOKENS: TOKEN,
      CONCORD_LOG_LEVEL: 'debug',
    },
  });
  const { config } = openClients(concord.url);
  await config.publish({
    application: 'shop',
    puts: [
      { key: 'greeting', value: 'hello' },
      { key: 'db', value: 'url: jdbc:h2:mem\npool: 10\n', contentType: ContentType.YAML },
      { key: 'db.password', value: PASSWORD, secret: true },
      { key: 'limits', value: '{"items":[{"max":5}],"open":true}', contentType: ContentType.JSON },
    ],
  });
  await config.put({ application: 'shop', profile: 'prod', key: 'greeting', value: 'welcome' });
  await config.put({ application: 'application', key: 'server.port', value: '8080' });
});

afterAll(async () => {
  await concord?.[Symbol.asyncDispose]();
});

function ask(path: string, headers: Readonly<Record<string, string>> = ACCEPT): Promise<Response> {
  return fetch(`${concord.url}/spring${path}`, { headers });
}

async function environmentAt(path: string, headers?: Readonly<Record<string, string>>): Promise<Environment> {
  const response = await ask(path, headers);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return (await response.json()) as Environment;
}

/** As Spring lays them over one another: the first source that has a property counts. */
function propertiesOf({ propertySources }: Environment): Readonly<Record<string, unknown>> {
  return Object.assign({}, ...propertySources.toReversed().map(({ source }) => source));
}

const BASE = {
  'db.url': 'jdbc:h2:mem',
  'db.pool': 10,
  'limits.items[0].max': 5,
  'limits.open': true,
};

describe("the gateway's process, for a client of Spring Cloud Config", () => {
  it('has the properties of the profiles that are asked for', async () => {
    const environment = await environmentAt('/shop/prod');
    expect(environment).toMatchObject({ name: 'shop', profiles: ['prod'], label: null, state: null });
    expect(environment.propertySources.map(({ name }) => name)).toEqual([
      'concord:shop-prod',
      'concord:shop',
    ]);
    expect(propertiesOf(environment)).toEqual({ ...BASE, greeting: 'welcome' });
    expect(propertiesOf(await environmentAt('/shop/default'))).toEqual({ ...BASE, greeting: 'hello' });
  });

  it('sends a label back, and takes several applications', async () => {
    const environment = await environmentAt('/application,shop/prod/release(_)1');
    expect(environment).toMatchObject({ name: 'application,shop', label: 'release/1' });
    expect(propertiesOf(environment)).toEqual({ ...BASE, greeting: 'welcome', 'server.port': '8080' });
  });

  it('has no properties of an application that there is not', async () => {
    expect(await environmentAt('/nobody/prod')).toMatchObject({ name: 'nobody', propertySources: [] });
  });

  it.each([
    ['the password', BASIC],
    ['a bearer token', { ...ACCEPT, authorization: `Bearer ${TOKEN}` }],
  ])('has secrets for who shows the token as %s', async (_, headers) => {
    const properties = propertiesOf(await environmentAt('/shop/prod', headers));
    expect(properties).toEqual({ ...BASE, greeting: 'welcome', 'db.password': PASSWORD });
  });

  it.each([
    ['no token', ACCEPT],
    ['another', { ...ACCEPT, authorization: `Bearer ${TOKEN}x` }],
    [
      'another password',
      { ...ACCEPT, authorization: `Basic ${Buffer.from('any:wrong').toString('base64')}` },
    ],
  ])('has none for who shows %s', async (_, headers) => {
    const response = await ask('/shop/prod', headers);
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain('db.password');
  });

  it('answers with 304 until a property changes', async () => {
    const { config, kv } = openClients(concord.url);
    const etagOf = async (headers: Readonly<Record<string, string>>) => {
      const response = await ask('/cached/prod', headers);
      return [response.status, response.headers.get('etag') ?? '', await response.text()] as const;
    };
    await config.put({ application: 'cached', key: 'a', value: '1' });
    const [status, etag] = await etagOf(ACCEPT);
    expect([status, etag]).toEqual([200, expect.stringMatching(/^W\/"[^"]+"$/)]);

    await kv.put({ key: 'elsewhere', value: 'changed' });
    expect(await etagOf({ ...ACCEPT, 'if-none-match': etag })).toEqual([304, etag, '']);

    await config.put({ application: 'cached', profile: 'prod', key: 'a', value: '2' });
    const [again, changed] = await etagOf({ ...ACCEPT, 'if-none-match': etag });
    expect(again).toBe(200);
    expect(changed).not.toBe(etag);
  });

  it('has another entity tag for who sees secrets', async () => {
    const [plain, revealed] = await Promise.all([ask('/shop/prod'), ask('/shop/prod', BASIC)]);
    expect(revealed.headers.get('etag')).not.toBe(plain.headers.get('etag'));
    expect(await plain.text()).not.toBe(await revealed.text());
  });

  it('has at once what another etcd client wrote', async () => {
    const { kv } = openClients(concord.url);
    await kv.put({ key: '/config/beside/motd', value: 'written beside Concord' });
    expect(propertiesOf(await environmentAt('/beside/prod'))).toEqual({ motd: 'written beside Concord' });
  });

  it('refuses a path of another shape, and a profile twice', async () => {
    for (const path of ['/shop', '/shop/prod/main/more', '/shop/prod,prod', '/shop/%00', '//prod']) {
      const response = await ask(path);
      expect(response.status, path).toBe(400);
      expect(await response.json(), path).toMatchObject({ code: 'invalid_argument' });
    }
  });

  it('logs neither secrets nor tokens', async () => {
    await (await ask('/shop/prod', BASIC)).text();
    expect(concord.stderr).not.toBe('');
    expect(concord.stderr).not.toContain(PASSWORD);
    expect(concord.stderr).not.toContain(TOKEN);
    expect(concord.stderr).not.toContain(Buffer.from(`any:${TOKEN}`).toString('base64'));
  });

  if (curl.kind === 'missing') {
    it(`is not asked with curl: ${curl.why}`, () => {
      expect(curl.why).not.toBe('');
    });
  } else {
    it('answers curl, with user and password', async () => {
      const url = `${concord.url}/spring/shop/prod`;
      const text = await outputOf(curl.path, ['-sS', '--fail', '-u', `any:${TOKEN}`, url]);
      expect(propertiesOf(JSON.parse(text) as Environment)).toMatchObject({ 'db.password': PASSWORD });
    });
  }
});
