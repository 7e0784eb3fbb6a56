import { ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ViolationsSchema } from '../../../gen/buf/validate/validate_pb.ts';
import { ErrorInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { readSpringPath } from '../../../src/http/spring-path.ts';

/** What is wrong with a path, or undefined. */
function failureOf(path: string): ConnectError | undefined {
  try {
    readSpringPath(path);
    return undefined;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
}

function names(count: number): string {
  return Array.from({ length: count }, (_, i) => `n${i}`).join();
}

describe('a path of Spring', () => {
  it('is read, whatever the names are', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 10 })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are not taken.
      .filter((text) => !/[,/\x00-\x1f\x7f-\x9f]|^ | $/.test(text));
    const several = fc.uniqueArray(name, { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(several, several, name, (applications, profiles, label) => {
        const segments = [applications.join(), profiles.join(), label].map(encodeURIComponent);
        expect(readSpringPath(`/spring/${segments.join('/')}`)).toEqual({
          name: applications.join(),
          applications,
          profiles,
          label,
        });
      }),
    );
  });

  it('may be without a label', () => {
    for (const path of ['/spring/a/b', '/spring/a/b/']) {
      expect(readSpringPath(path)).toMatchObject({ name: 'a', profiles: ['b'], label: undefined });
    }
  });

  it.each(['/spring/', '/spring/a', '/spring/a/b/c/d', '/spring/a/b/c/'])(
    'is of no other shape: %s',
    (path) => {
      expect(failureOf(path)?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: 'REQUEST_MALFORMED' }]);
    },
  );

  it.each([
    ['no application', '/spring//b', 'application', 'string.min_bytes'],
    ['an application without a name', '/spring/a,/b', 'application', 'string.min_bytes'],
    ['an application of spaces', '/spring/%20/b', 'application', 'string.min_bytes'],
    ['no profile', '/spring/a/', 'profiles', 'string.min_bytes'],
    ['a profile without a name', '/spring/a/b,,c', 'profiles', 'string.min_bytes'],
    ['a control character in an application', '/spring/a%00/b', 'application', 'string.pattern'],
    ['a line end behind an application', '/spring/a%0A/b', 'application', 'string.pattern'],
    ['a control character in a profile', '/spring/a/b%C2%85', 'profiles', 'string.pattern'],
    ['a control character in a label', '/spring/a/b/%7F', 'label', 'string.pattern'],
    ['a slash in an application', '/spring/a%2Fb/c', 'application', 'string.pattern'],
    ['a slash in a profile', '/spring/a/b%2fc', 'profiles', 'string.pattern'],
    [
      'an application of more than 256 bytes',
      `/spring/${'a'.repeat(257)}/b`,
      'application',
      'string.max_bytes',
    ],
    ['a profile of more than 128 bytes', `/spring/a/${'%C3%A9'.repeat(64)}b`, 'profiles', 'string.max_bytes'],
    ['more than 16 profiles', `/spring/a/${names(17)}`, 'profiles', 'repeated.max_items'],
    ['more than 16 applications', `/spring/${names(17)}/b`, 'application', 'repeated.max_items'],
    ['a profile twice', '/spring/a/b,c,b', 'profiles', 'repeated.unique'],
    ['a profile twice, spaced', '/spring/a/b,%20b', 'profiles', 'repeated.unique'],
    ['the base twice', '/spring/a/default,default', 'profiles', 'repeated.unique'],
    ['an application twice', '/spring/a,a/b', 'application', 'repeated.unique'],
    ['half an escape', '/spring/a%/b', 'application', 'string.utf8'],
    ['an escape that is none', '/spring/a/%zz', 'profiles', 'string.utf8'],
    ['escapes that are no UTF-8', '/spring/a/b/%C3', 'label', 'string.utf8'],
  ])('is refused with %s', (_, path, field, rule) => {
    const error = failureOf(path);
    const description = error?.findDetails(ErrorInfoSchema)[0]?.metadata['description'] ?? '';
    expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([
      { reason: 'FIELD_INVALID', domain: 'concord', metadata: { field, rule } },
    ]);
    expect(error?.findDetails(ViolationsSchema)).toMatchObject([
      { violations: [{ field: { elements: [{ fieldName: field }] }, ruleId: rule, message: description }] },
    ]);
    expect(error?.rawMessage).toBe(`Field "${field}" is invalid: ${description}`);
  });

  it.each([
    `/spring/${'a'.repeat(256)}/b`,
    `/spring/a/${'%C3%A9'.repeat(64)}`,
    `/spring/a/${names(16)}`,
    `/spring/${names(16)}/b`,
  ])('may be as long as %s', (path) => {
    expect(failureOf(path)).toBeUndefined();
  });

  it('is refused with a reason if at all, whatever it is', () => {
    const piece = fc.constantFrom('/', '%', '%2F', '%00', '%FF', ',', ' ', 'a', '(_)', 'é');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const error = failureOf(`/spring/${pieces.join('')}`);
        if (error !== undefined) expect(error.findDetails(ErrorInfoSchema)).toHaveLength(1);
      }),
    );
  });
});
