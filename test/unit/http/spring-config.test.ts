import { describe, expect, it } from 'vitest';
import { type Applications, createSpring, TOKEN } from './spring-source.ts';

const SHOP: Applications = {
  shop: {
    default: { 'server.port': ['number', '8080'], greeting: 'hello', 'secret.password': 'hunter2' },
    dev: { 'server.port': ['number', '9090'] },
    eu: { greeting: 'bonjour' },
  },
};

describe("the answer to Spring Cloud Config's clients", () => {
  it('is that of its server, to the byte', async () => {
    const { status, contentType, body } = await createSpring(SHOP, () => 42n).get('/spring/shop/dev');
    expect({ status, contentType }).toEqual({ status: 200, contentType: 'application/json' });
    expect(body).toBe(
      '{"name":"shop","profiles":["dev"],"label":null,"version":"42","state":null,"propertySources":[' +
        '{"name":"concord:shop-dev","source":{"server.port":9090}},' +
        '{"name":"concord:shop","source":{"server.port":8080,"greeting":"hello"}}]}',
    );
  });

  it('sends back what was asked, the label with its slashes', async () => {
    const spring = createSpring({}, () => 9_223_372_036_854_775_807n);
    const { body } = await spring.get('/spring/a%20b,%C3%A9/x,default/feature(_)one%20%22two%22');
    expect(body).toBe(
      '{"name":"a b,é","profiles":["x","default"],"label":"feature/one \\"two\\"",' +
        '"version":"9223372036854775807","state":null,"propertySources":[]}',
    );
    expect((await spring.get('/spring/shop/dev/')).body).toContain('"label":null');
  });

  it.each([
    ['/spring/shop/default', ['concord:shop']],
    ['/spring/shop/dev', ['concord:shop-dev', 'concord:shop']],
    ['/spring/shop/dev,eu', ['concord:shop-eu', 'concord:shop-dev', 'concord:shop']],
    ['/spring/shop/eu,dev', ['concord:shop-dev', 'concord:shop-eu', 'concord:shop']],
    ['/spring/shop/default,dev', ['concord:shop-dev', 'concord:shop']],
    ['/spring/shop/dev,default,eu', ['concord:shop-eu', 'concord:shop-dev', 'concord:shop']],
    ['/spring/shop/eu,test', ['concord:shop-eu', 'concord:shop']],
    ['/spring/shop/%20dev%20,%20eu', ['concord:shop-eu', 'concord:shop-dev', 'concord:shop']],
  ])('lists the last profile first and the base last: %s', async (path, expected) => {
    const names = (await createSpring(SHOP, () => 1n).sources(path)).map(
      (source) => (source as { readonly name: string }).name,
    );
    expect(names).toEqual(expected);
  });

  it('lists the last of several applications first, within each profile, at the newest of their revisions', async () => {
    const items = { default: { a: '1' }, dev: { a: '2' } };
    const revisions: Readonly<Record<string, bigint>> = { one: 7n, two: 8n, three: 6n };
    const spring = createSpring({ one: items, two: items }, (application) => revisions[application] ?? 0n);
    const { body } = await spring.get('/spring/one,two,three/dev');
    expect(JSON.parse(body)).toEqual({
      name: 'one,two,three',
      profiles: ['dev'],
      label: null,
      version: '8',
      state: null,
      propertySources: [
        { name: 'concord:two-dev', source: { a: '2' } },
        { name: 'concord:one-dev', source: { a: '2' } },
        { name: 'concord:two', source: { a: '1' } },
        { name: 'concord:one', source: { a: '1' } },
      ],
    });
    expect(spring.asked.map(({ application }) => application)).toEqual(['one', 'two', 'three']);
  });

  it('asks for no profile that is the base', async () => {
    const spring = createSpring(SHOP, () => 1n);
    await spring.get('/spring/shop/dev,default,eu');
    expect(spring.asked).toEqual([{ application: 'shop', profiles: ['dev', 'eu'], reveal: false }]);
  });

  it('has secrets for those alone who may read them', async () => {
    const spring = createSpring(SHOP, () => 1n);
    const base = { 'server.port': 8080, greeting: 'hello' };
    const answerOf = (source: object) => [{ name: 'concord:shop', source }];
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      expect(await spring.sources('/spring/shop/default', headers)).toEqual(answerOf(base));
    }
    expect(await spring.sources('/spring/shop/default', { authorization: TOKEN })).toEqual(
      answerOf({ ...base, 'secret.password': 'hunter2' }),
    );
    expect(spring.asked.map(({ reveal }) => reveal)).toEqual([false, false, true]);
  });

  it('fails as the source does', async () => {
    const failing = createSpring({}, () => {
      throw new Error('no etcd');
    });
    await expect(failing.get('/spring/shop/dev')).rejects.toThrow('no etcd');
  });
});

describe('the properties of an item', () => {
  it.each([
    ['a text', 'a', 'hello', '{"a":"hello"}'],
    ['an empty text', 'a', '', '{"a":""}'],
    ['a number', 'server.port', ['number', '8080'], '{"server.port":8080}'],
    ['a boolean', 'is.on', ['boolean', 'true'], '{"is.on":true}'],
    ['a text that looks like a number', 'a', '8080', '{"a":"8080"}'],
    ['a document', 'db', ['json', '{"url":"x","pool":{"size":5}}'], '{"db.url":"x","db.pool.size":5}'],
    ['a list', 'hosts', ['yaml', '["a",{"b":1}]'], '{"hosts[0]":"a","hosts[1].b":1}'],
    ['a document that is one value', 'a', ['json', '"x"'], '{"a":"x"}'],
    ['a document that holds nothing', 'a', ['json', '{}'], '{"a":""}'],
    ['a file', 'application.yml', ['yaml', '{"a":{"b":1}}'], '{"a.b":1}'],
    ['a file with a list', 'application.yaml', ['yaml', '["a"]'], '{"[0]":"a"}'],
    ['a file of JSON', 'conf/a.json', ['json', '{"a":true}'], '{"a":true}'],
    ['a file of TOML', 'a.toml', ['toml', '{"a":true}'], '{"a":true}'],
    ['a file of properties', 'a.properties', ['properties', '{"a.b":"c"}'], '{"a.b":"c"}'],
    ['a file that is one value', 'a.json', ['json', '5'], '{"a.json":5}'],
    ['a file that holds nothing', 'a.json', ['json', '{}'], '{}'],
    ['a file of text', 'a.yml', 'b: c', '{"a.yml":"b: c"}'],
    ['an empty file of text', 'a.yml', '', '{"a.yml":""}'],
    ['what only begins as a file', 'a.yml.old', ['yaml', '{"b":1}'], '{"a.yml.old.b":1}'],
    ['a document that cannot be read', 'db', ['json', '{"url":'], '{"db":"{\\"url\\":"}'],
    ['a file that cannot be read', 'a.yml', ['yaml', 'b: ['], '{"a.yml":"b: ["}'],
    ['a name that objects know', '__proto__', 'x', '{"__proto__":"x"}'],
  ] as const)('are of %s: %s', async (_, key, written, expected) => {
    const { body } = await createSpring({ shop: { default: { [key]: written } } }, () => 1n).get(
      '/spring/shop/default',
    );
    expect(body).toContain(`"propertySources":[{"name":"concord:shop","source":${expected}}]`);
  });

  it('give way to those of a later item', async () => {
    const items = { a: ['json', '{"b":1}'], 'a.b': ['number', '2'], c: 'x' } as const;
    const spring = createSpring({ shop: { default: items } }, () => 1n);
    expect((await spring.get('/spring/shop/default')).body).toContain('"source":{"a.b":2,"c":"x"}');
  });
});
