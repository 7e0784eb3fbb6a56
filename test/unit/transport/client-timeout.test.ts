import { describe, expect, it } from 'vitest';
import { giveTimeout, isBoundlessTimeout } from '../../../src/transport/client-timeout.ts';

describe('isBoundlessTimeout', () => {
  it.each([
    ['grpc-timeout', '597H', true],
    ['grpc-timeout', '596H', false],
    ['grpc-timeout', '35792M', true],
    ['grpc-timeout', '35791M', false],
    ['grpc-timeout', '2147484S', true],
    ['grpc-timeout', '2147483S', false],
    ['grpc-timeout', '99999999m', false],
    ['grpc-timeout', '99999999n', false],
    ['grpc-timeout', 'H', false],
    ['grpc-timeout', '-1H', false],
    ['grpc-timeout', '99999999', false],
    ['connect-timeout-ms', '2147483648', true],
    ['connect-timeout-ms', '2147483647', false],
    ['connect-timeout-ms', '1e99', false],
    ['x-timeout', '99999999999', false],
  ])('of %s: %s is %s', (name, value, expected) => {
    expect(isBoundlessTimeout(name, value)).toBe(expected);
  });
});

describe('giveTimeout', () => {
  it('gives one in the protocol’s own header', () => {
    const headers = (['grpc', 'grpc-web', 'connect'] as const).map((protocol) => {
      const header = new Headers();
      giveTimeout(header, protocol, 1_500);
      return [...header];
    });
    expect(headers).toEqual([
      [['grpc-timeout', '1500m']],
      [['grpc-timeout', '1500m']],
      [['connect-timeout-ms', '1500']],
    ]);
  });

  it('leaves the caller’s own alone', () => {
    const header = new Headers({ 'grpc-timeout': '1S' });
    giveTimeout(header, 'grpc', 1_500);
    expect(header.get('grpc-timeout')).toBe('1S');
  });
});
