import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { parseTimeout as parseConnectTimeout } from '@connectrpc/connect/protocol-connect';
import { parseTimeout as parseGrpcTimeout } from '@connectrpc/connect/protocol-grpc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Health } from '../../../../gen/grpc/health/v1/health_pb.ts';
import { readHead } from '../../../../src/transport/direct/head.ts';
import type { DirectRpc } from '../../../../src/transport/direct/rpcs.ts';

const byLibrary = (() => {}) as unknown as UniversalHandler;
const check = {
  kind: 'unary',
  method: Health.method.check,
  serve: () => ({}),
  byLibrary,
} as unknown as DirectRpc;
const watch = { ...check, kind: 'stream', method: Health.method.watch } as unknown as DirectRpc;
/** A longer one is as good as none. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

describe('the head of a call', () => {
  it('is none of an rpc whose content type it is not', () => {
    for (const contentType of ['application/json', 'application/proto']) {
      expect(headOf(check, { 'content-type': contentType })).toBeDefined();
      expect(headOf(watch, { 'content-type': contentType })).toBeUndefined();
    }
    for (const contentType of ['application/connect+json', 'application/connect+proto']) {
      expect(headOf(check, { 'content-type': contentType })).toBeUndefined();
      expect(headOf(watch, { 'content-type': contentType })).toBeDefined();
    }
    for (const rpc of [check, watch]) {
      expect(headOf(rpc, { 'content-type': 'application/grpc' })).toBeDefined();
      expect(headOf(rpc, { 'content-type': 'text/html' })).toBeUndefined();
      expect(headOf(rpc, {})).toBeUndefined();
    }
  });

  it.each([
    ['grpc-timeout', 'application/grpc', parseGrpcTimeout],
    ['grpc-timeout', 'application/grpc-web', parseGrpcTimeout],
    ['connect-timeout-ms', 'application/json', parseConnectTimeout],
  ] as const)('has the time-out that the library reads: %s of %s', (name, contentType, parse) => {
    const unit = fc.constantFrom('', 'H', 'M', 'S', 'm', 'u', 'n', 's', ' ', '-');
    const value = fc.oneof(
      fc.tuple(fc.nat(), unit).map((parts) => parts.join('')),
      fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), unit).map((parts) => parts.join('')),
      fc.string({ maxLength: 10 }),
    );
    fc.assert(
      fc.property(value, (timeout) => {
        const head = headOf(check, { 'content-type': contentType, [name]: timeout });
        const { timeoutMs, error } = parse(timeout, Number.MAX_SAFE_INTEGER);
        if (timeoutMs !== undefined && timeoutMs <= MAX_TIMEOUT_MS)
          expect(head).toMatchObject({ timeoutMs, isOdd: false });
        else expect(head?.timeoutMs).toBeUndefined();
        // One of eleven digits is longer than any timer: the library is not asked.
        if (error !== undefined && !/^\d{9,}[HMS]?$/.test(timeout)) expect(head?.isOdd).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is odd where its body is compressed, in the header of its protocol, or its version is another', () => {
    const odd = (rpc: DirectRpc, contentType: string, name: string, value: string) =>
      headOf(rpc, { 'content-type': contentType, [name]: value })?.isOdd;
    expect(odd(check, 'application/json', 'content-encoding', 'gzip')).toBe(true);
    expect(odd(check, 'application/json', 'content-encoding', '')).toBe(true);
    expect(odd(check, 'application/json', 'content-encoding', 'identity')).toBe(false);
    expect(odd(check, 'application/json', 'grpc-encoding', 'gzip')).toBe(false);
    expect(odd(check, 'application/grpc', 'grpc-encoding', 'gzip')).toBe(true);
    expect(odd(check, 'application/grpc', 'content-encoding', 'gzip')).toBe(false);
    expect(odd(watch, 'application/connect+json', 'connect-content-encoding', 'gzip')).toBe(true);
    expect(odd(watch, 'application/connect+json', 'content-encoding', 'gzip')).toBe(false);
    expect(odd(check, 'application/json', 'connect-protocol-version', '1')).toBe(false);
    expect(odd(check, 'application/json', 'connect-protocol-version', '2')).toBe(true);
  });

  it.each([
    ['gzip', true],
    ['br, gzip', true],
    ['deflate,gzip,br', true],
    ['', false],
    ['x-gzip', false],
    ['gzip;q=0', false],
    ['identity', false],
  ])('takes gzip where it is named: %s', (accepted, takesIt) => {
    for (const [contentType, name] of [
      ['application/json', 'accept-encoding'],
      ['application/grpc', 'grpc-accept-encoding'],
    ] as const)
      expect(headOf(check, { 'content-type': contentType, [name]: accepted })?.acceptsGzip).toBe(takesIt);
  });
});

function headOf(rpc: DirectRpc, headers: Readonly<Record<string, string>>) {
  return readHead(rpc, { headers, httpVersion: '2.0', url: 'http://a/b' });
}
