import { describe, expect, it } from 'vitest';
import { type Applications, createSpring, TOKEN } from './spring-source.ts';

const SHOP: Applications = {
  shop: { default: { greeting: 'hello', 'secret.password': 'hunter2' }, dev: { greeting: 'hi' } },
};

function shopAt(revision: bigint, applications: Applications = SHOP) {
  return createSpring(applications, () => revision);
}

async function tagOf(
  spring: ReturnType<typeof createSpring>,
  path: string,
  headers?: Readonly<Record<string, string>>,
): Promise<string> {
  return (await spring.get(path, headers)).headers['etag'] ?? '';
}

describe('the entity tag of configuration', () => {
  it('is weak, and stays while the properties do, though the store goes on', async () => {
    const tag = await tagOf(shopAt(1n), '/spring/shop/dev');
    expect(tag).toMatch(/^W\/"[\w-]{43}"$/);
    expect(await tagOf(shopAt(2n), '/spring/shop/dev')).toBe(tag);
  });

  it('is another with another property, and for a caller who reads more', async () => {
    const path = '/spring/shop/dev';
    const changed = { shop: { ...SHOP['shop'], dev: { greeting: 'hey' } } };
    const tags = await Promise.all([
      tagOf(shopAt(1n), path),
      tagOf(shopAt(1n, changed), path),
      tagOf(shopAt(1n), path, { authorization: TOKEN }),
    ]);
    expect(new Set(tags).size).toBe(3);
  });
});

describe('a request for configuration that is not as it was', () => {
  const path = '/spring/shop/dev';

  it.each([
    ['the tag', (tag: string) => tag],
    ['the tag as a strong one', (tag: string) => tag.replace('W/', '')],
    ['the tag among others', (tag: string) => `"a,b" , W/"c",${tag}, "d"`],
    ['any', () => '*'],
  ])('is answered with 304 where it names %s', async (_, ifNoneMatch) => {
    const spring = shopAt(1n);
    const tag = await tagOf(spring, path);
    const answer = await spring.get(path, { 'if-none-match': ifNoneMatch(tag) });
    expect(answer).toMatchObject({ status: 304, body: '', headers: { etag: tag } });
  });

  it.each([
    ['another tag', () => 'W/"a"'],
    ['nothing', () => ''],
    ['the tag without quotes', (tag: string) => tag.replaceAll('"', '')],
    ['a part of the tag', (tag: string) => tag.replace(/.."$/, '"')],
    ['any among others', () => '"a", *'],
  ])('is answered whole where it names %s', async (_, ifNoneMatch) => {
    const spring = shopAt(1n);
    const tag = await tagOf(spring, path);
    const answer = await spring.get(path, { 'if-none-match': ifNoneMatch(tag) });
    expect(answer).toMatchObject({ status: 200, headers: { etag: tag } });
    expect(answer.body).toContain('"greeting":"hi"');
  });

  it('is checked before it is compared', async () => {
    await expect(shopAt(1n).get('/spring//dev', { 'if-none-match': '*' })).rejects.toThrow(/application/);
  });
});
