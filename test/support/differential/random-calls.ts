import { gzipSync } from 'node:zlib';
import { type DescMessage, type DescMethod, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { RPC_EXAMPLES } from '../../../scripts/openapi/rpc-examples.ts';
import { mutated, randomBinary, randomJson, wildJson } from '../random-messages.ts';
import type { RawHttpVersion, RawRequest } from '../raw-request.ts';
import { envelope, WIRE_PROTOCOLS, type WireProtocol } from '../wire-protocol.ts';

/** One call as it goes over the wire. */
export interface RandomCall {
  readonly method: DescMethod;
  readonly httpVersion: RawHttpVersion;
  readonly request: RawRequest;
}

type Headers = Readonly<Record<string, string>>;
type Encoding = Pick<WireProtocol, 'kind' | 'codec'> & { readonly isEnveloped: boolean };

/** Fields that no message has: number 15,999, a varint; and a name. */
const UNKNOWN_FIELD = { proto: Buffer.of(0xf8, 0xe7, 0x07, 1), json: Buffer.from(',"no_such_field":1}') };
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);
const BAD_UTF8 = [Buffer.of(0xff), Buffer.of(0xc3), Buffer.of(0xed, 0xa0, 0x80), Buffer.of(0xf0, 0x9f, 0x98)];

/**
 * Returns calls of some rpcs: sound ones, and such as are wrong in their message, their framing or their headers.
 *
 * @param headers - of every call, right or wrong
 */
export function randomCalls(methods: readonly DescMethod[], headers: Headers = {}): fc.Arbitrary<RandomCall> {
  return fc
    .record({ method: fc.constantFrom(...methods), protocol: fc.constantFrom(...WIRE_PROTOCOLS) })
    .chain(({ method, protocol }) => {
      const isEnveloped = protocol.kind !== 'connect' || method.methodKind !== 'unary';
      const encoding: Encoding = { ...protocol, isEnveloped };
      const contentType =
        protocol.kind === 'connect' && isEnveloped
          ? `application/connect+${protocol.codec}`
          : protocol.contentType;
      return fc
        .record({
          message: randomMessage(method, protocol.codec),
          isLengthTold: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
        })
        .chain(({ message, isLengthTold }) =>
          fc
            .record({ body: randomBody(message, encoding), odd: randomHeaders(protocol, contentType) })
            .map(({ body, odd }) => ({
              method,
              httpVersion: protocol.httpVersion,
              request: {
                path: `/${method.parent.typeName}/${method.name}`,
                headers: {
                  'content-type': contentType,
                  ...(isLengthTold && { 'content-length': String(body.bytes.length) }),
                  ...body.headers,
                  ...odd,
                  ...headers,
                },
                body: body.bytes,
              },
            })),
        );
    });
}

function randomMessage(method: DescMethod, codec: WireProtocol['codec']): fc.Arbitrary<Uint8Array> {
  const { input } = method;
  const made = codec === 'json' ? randomJson(input).map(jsonBytes) : randomBinary(input);
  const examples = examplesOf(method).map((json) =>
    codec === 'json' ? jsonBytes(json) : toBinary(input, fromJson(input, json)),
  );
  const sound = examples.length === 0 ? made : fc.constantFrom(...examples);
  return fc.oneof(
    { weight: 5, arbitrary: sound },
    { weight: 3, arbitrary: made },
    { weight: 2, arbitrary: fc.oneof(sound, made).chain(mutated) },
    { weight: 1, arbitrary: codec === 'json' ? wildJson(input).map(jsonBytes) : fc.uint8Array() },
  );
}

/** The requests of the document of the HTTP routes: its path and query parameters are fields like all others. */
function examplesOf({ parent, name, input }: DescMethod): readonly JsonObject[] {
  const examples = ['', '2'].map((suffix) => RPC_EXAMPLES[`${parent.name}_${name}${suffix}`]);
  return examples
    .flatMap((each) => Object.values(each?.requests ?? {}))
    .map(({ parameters = {}, body = {} }) => ({ ...parameters, ...(body as JsonObject) }) as JsonObject)
    .filter((json) => isOf(input, json));
}

function isOf(desc: DescMessage, json: JsonObject): boolean {
  try {
    fromJson(desc, json);
    return true;
  } catch {
    return false;
  }
}

/** A body, and the headers without which it would not be what it is. */
interface Body {
  readonly bytes: Buffer;
  readonly headers?: Headers;
}

function randomBody(message: Uint8Array, { kind, codec, isEnveloped }: Encoding): fc.Arbitrary<Body> {
  const wrap = (content: Uint8Array, lie: { flags?: number; length?: number } = {}) =>
    isEnveloped ? envelope(content, lie) : Buffer.from(content);
  const bytes = Buffer.from(message);
  const gzip = { [encodingHeader(kind, isEnveloped)]: 'gzip' };
  const whole = wrap(bytes);
  const unknown =
    codec === 'proto'
      ? Buffer.concat([bytes, UNKNOWN_FIELD.proto])
      : Buffer.concat([bytes.subarray(0, -1), UNKNOWN_FIELD.json]);
  const framed: readonly fc.Arbitrary<Body>[] = [
    fc.constantFrom(0, 1, -1, 5, 2 ** 31, -bytes.length).map((lie) => ({
      bytes: wrap(bytes, { length: Math.max(0, bytes.length + lie) }),
    })),
    fc.constantFrom(1, 2, 3, 0x80, 0x81, 0xff).map((flags) => ({ bytes: wrap(bytes, { flags }) })),
    fc.constant({ bytes: Buffer.concat([whole, whole]) }),
    fc.constant({ bytes: Buffer.concat([whole, Buffer.of(0)]) }),
    fc.constant({ bytes: isEnveloped ? bytes : envelope(bytes) }),
    fc.constant({ bytes: wrap(gzipSync(bytes), { flags: 1 }), headers: gzip }),
    fc.constant({ bytes: wrap(gzipSync(bytes), { flags: 1 }) }),
    fc.constant({ bytes: whole, headers: gzip }),
    fc.constant({ bytes: wrap(bytes, { flags: 1 }), headers: gzip }),
  ];
  const changed: readonly fc.Arbitrary<Body>[] = [
    fc.constant({ bytes: Buffer.alloc(0) }),
    fc.constant({ bytes: wrap(Buffer.alloc(0)) }),
    fc.nat({ max: whole.length }).map((length) => ({ bytes: whole.subarray(0, length) })),
    fc.constant({ bytes: wrap(unknown) }),
    fc.constant({ bytes: wrap(Buffer.concat([BYTE_ORDER_MARK, bytes])) }),
    fc
      .record({ bad: fc.constantFrom(...BAD_UTF8), at: fc.nat({ max: bytes.length }) })
      .map(({ bad, at }) => ({
        bytes: wrap(Buffer.concat([bytes.subarray(0, at), bad, bytes.subarray(at)])),
      })),
  ];
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant({ bytes: whole }) },
    ...[...framed, ...changed].map((arbitrary) => ({ weight: 1, arbitrary })),
  );
}

function encodingHeader(kind: WireProtocol['kind'], isEnveloped: boolean): string {
  if (kind !== 'connect') return 'grpc-encoding';
  return isEnveloped ? 'connect-content-encoding' : 'content-encoding';
}

function randomHeaders({ kind, codec }: WireProtocol, contentType: string): fc.Arbitrary<Headers> {
  const timeout = kind === 'connect' ? 'connect-timeout-ms' : 'grpc-timeout';
  const timeouts =
    kind === 'connect'
      ? ['-1', '1.5', 'soon', '60000', '9999999999', '99999999999', ' 9000 ', '9000, 9000', '']
      : ['1', '-1S', '60S', '1H', '99999999H', '999999999S', '60s', '60000000u', '1S, 1S', ''];
  const odd = fc.oneof(
    fc.constantFrom(...spellings(contentType, codec)).map((type) => ({ 'content-type': type })),
    fc.constantFrom(...timeouts).map((value) => ({ [timeout]: value })),
    fc
      .record({
        name: fc.constantFrom('content-encoding', 'grpc-encoding', 'connect-content-encoding'),
        value: fc.constantFrom('identity', 'br', 'GZIP', 'Identity', 'gzip, br', ''),
      })
      .map(({ name, value }) => ({ [name]: value })),
    fc
      .record({
        name: fc.constantFrom('accept-encoding', 'grpc-accept-encoding', 'connect-accept-encoding'),
        value: fc.constantFrom('gzip', 'gzip;q=0', 'br, gzip', 'x-gzip', 'identity', ''),
      })
      .map(({ name, value }) => ({ [name]: value })),
    fc.constantFrom('1', '2', '').map((value) => ({ 'connect-protocol-version': value })),
    fc.constantFrom('own-id', 'ä', 'a b', 'x'.repeat(200)).map((value) => ({ 'x-request-id': value })),
    fc.constantFrom<Headers>({ te: 'trailers' }, { authorization: 'none' }, { 'user-agent': '' }),
  );
  return fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: odd });
}

/** Content types that mean the same, another codec or protocol, or nothing. */
function spellings(contentType: string, codec: WireProtocol['codec']): readonly string[] {
  const base = contentType.replace(/\+.*/, '');
  return [
    contentType.toUpperCase(),
    `${contentType}; charset=utf-8`,
    `${contentType};charset=UTF8`,
    `${contentType}; charset=latin1`,
    `${contentType};`,
    ` ${contentType} `,
    `${contentType}+${codec}`,
    base,
    `${base}+`,
    `${base}+thrift`,
    `${base}+json`,
    `${base}+proto`,
    `${base}-text`,
    `${base}${codec}`,
    'application/json',
    'application/proto',
    'application/connect+json',
    'application/connectjson',
    'application/grpc-web-text+proto',
    'application/',
    'text/html',
    '',
  ];
}

function jsonBytes(json: unknown): Buffer {
  return Buffer.from(JSON.stringify(json));
}
