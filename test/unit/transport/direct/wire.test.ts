import { parseContentType as parseConnect } from '@connectrpc/connect/protocol-connect';
import { parseContentType as parseGrpc } from '@connectrpc/connect/protocol-grpc';
import { parseContentType as parseGrpcWeb } from '@connectrpc/connect/protocol-grpc-web';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Wire, wireOf } from '../../../../src/transport/direct/wire.ts';

const PARTS = [
  'application/',
  'grpc',
  '-web',
  '-text',
  'connect',
  '+',
  'proto',
  'json',
  ';',
  ' ',
  'charset=',
  'utf-8',
  'utf8',
  'x',
];
const PROTOCOLS = ['grpc', 'grpc-web', 'grpc-web-text', 'connect', ''];
const CODECS = [
  '',
  '+',
  'proto',
  '+proto',
  'json',
  '+json',
  '+jsonx',
  '+json;charset=utf-8',
  '+json; charset=UTF8',
  'json; charset=utf-8',
  '+json;  charset=utf-8',
  '+proto; charset=utf-8',
];

describe('the content type of a call', () => {
  it.each(PROTOCOLS.flatMap((protocol) => CODECS.map((codec) => `application/${protocol}${codec}`)))(
    'means what it means to the library: %s',
    (contentType) => {
      for (const spelling of [contentType, contentType.toUpperCase(), ` ${contentType}`, `${contentType} `])
        expect(wireOf(spelling)).toEqual(wireOfLibrary(spelling));
    },
  );

  it('means what it means to the library, however it is put together', () => {
    const type = fc.array(fc.constantFrom(...PARTS), { maxLength: 8 }).map((parts) => parts.join(''));
    const likely = type.map((rest) => `application/${rest}`);
    fc.assert(
      fc.property(fc.oneof(type, likely, fc.string()), (contentType) => {
        expect(wireOf(contentType)).toEqual(wireOfLibrary(contentType));
      }),
      { numRuns: 5_000 },
    );
  });
});

/** What the library makes of it; the text form of gRPC-Web, which it takes without reading it as such, is left to it. */
function wireOfLibrary(contentType: string): Wire | undefined {
  const connect = parseConnect(contentType);
  if (connect !== undefined) {
    const codec = connect.binary ? 'proto' : 'json';
    const { stream } = connect;
    const answer = `application/${stream ? 'connect+' : ''}${codec}`;
    return { protocol: 'connect', codec, isEnveloped: stream, contentType: answer };
  }
  const grpc = parseGrpc(contentType);
  if (grpc !== undefined) return enveloped('grpc', grpc.binary);
  const grpcWeb = parseGrpcWeb(contentType);
  return grpcWeb === undefined || grpcWeb.text ? undefined : enveloped('grpc-web', grpcWeb.binary);
}

function enveloped(protocol: 'grpc' | 'grpc-web', isBinary: boolean): Wire {
  const codec = isBinary ? 'proto' : 'json';
  return { protocol, codec, isEnveloped: true, contentType: `application/${protocol}+${codec}` };
}
