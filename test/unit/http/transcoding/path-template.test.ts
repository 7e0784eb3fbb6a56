import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileTemplate } from '../../../../src/http/transcoding/path-template.ts';
import { failureOf } from '../../../support/failure-of.ts';

/** What a template finds in a path, as an object. */
function found(template: string, path: string): Record<string, string> | undefined {
  const fields = compileTemplate(template).match(path);
  return fields && Object.fromEntries(fields);
}

describe('a path template', () => {
  it.each([
    ['/v1/kv', '/v1/kv', {}],
    ['/v1/leases/{lease_id}', '/v1/leases/17', { lease_id: '17' }],
    ['/v1/kv/{key=**}', '/v1/kv/a/b', { key: 'a/b' }],
    ['/v1/kv/{key=**}', '/v1/kv/', { key: '' }],
    ['/v1/kv/{key=**}', '/v1/kv//leading', { key: '/leading' }],
    ['/v1/kv/{key=**}', '/v1/kv/a%2Fb%20c', { key: 'a/b c' }],
    ['/v1/kv/{key=**}', '/v1/kv/%E4%BD%A0', { key: '你' }],
    ['/v1/kv/{key=**}', '/v1/kv/a+b', { key: 'a+b' }],
    ['/v1/locks/{name=**}:release', '/v1/locks/a/b:release', { name: 'a/b' }],
    ['/v1/locks/{name=**}', '/v1/locks/a%3Arelease', { name: 'a:release' }],
    [
      '/v1/services/{instance.service}/instances',
      '/v1/services/web/instances',
      { 'instance.service': 'web' },
    ],
    [
      '/v1/config/{application}/versions/{version}/{key=**}',
      '/v1/config/a/versions/2/k/l',
      { application: 'a', version: '2', key: 'k/l' },
    ],
  ])('%s finds in %s', (template, path, fields) => {
    expect(found(template, path)).toEqual(fields);
  });

  it.each([
    ['/v1/kv', '/v1/kv/'],
    ['/v1/kv', '/v1/kvs'],
    ['/v1/leases/{lease_id}', '/v1/leases/'],
    ['/v1/leases/{lease_id}', '/v1/leases/1/2'],
    ['/v1/locks/{name=**}:release', '/v1/locks/a'],
    ['/v1/kv:list.all', '/v1/kv:listxall'],
  ])('%s does not match %s', (template, path) => {
    expect(found(template, path)).toBeUndefined();
  });

  it('finds every text that a path can hold', () => {
    const template = compileTemplate('/v1/kv/{key=**}');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (key) => {
        expect(template.match(`/v1/kv/${encodeURIComponent(key)}`)?.get('key')).toBe(key);
      }),
    );
  });

  it('says of a path that is not percent-encoded UTF-8 that it is malformed', async () => {
    for (const path of ['/v1/kv/%', '/v1/kv/%zz', '/v1/kv/%ff'])
      expect(await failureOf((async () => found('/v1/kv/{key=**}', path))())).toMatchObject({
        code: 'InvalidArgument',
        reason: 'REQUEST_MALFORMED',
      });
  });

  it('goes before those that match more', () => {
    const sorted = [
      '/v1/kv/{key=**}',
      '/v1/locks/{name=**}:release',
      '/v1/locks/{name=**}',
      '/v1/a/{b}',
      '/v1/a/c',
    ]
      .map((path) => ({ path, weight: compileTemplate(path).weight }))
      .sort((a, b) => b.weight - a.weight)
      .map(({ path }) => path);
    expect(sorted.indexOf('/v1/a/c')).toBeLessThan(sorted.indexOf('/v1/a/{b}'));
    expect(sorted.indexOf('/v1/locks/{name=**}:release')).toBeLessThan(sorted.indexOf('/v1/locks/{name=**}'));
    expect(sorted.at(-1)).toMatch(/\*\*\}$/);
  });

  it.each(['/v1/{a=b/*}', '/v1/*', '/v1/a{b}'])('%s is none that is understood', (template) => {
    expect(() => compileTemplate(template)).toThrow('is not understood');
  });
});
