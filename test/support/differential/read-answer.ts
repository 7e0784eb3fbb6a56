import { gunzipSync } from 'node:zlib';
import { type DescMessage, fromBinary, fromJsonString, type JsonValue, toJson } from '@bufbuild/protobuf';
import type { RawAnswer } from '../raw-request.ts';
import { envelopesOf } from '../wire-envelopes.ts';
import { type WireError, wireErrorOf } from '../wire-error.ts';

/** What an answer says. What differs from one time to the next (revisions, tokens, leases, times) is masked. */
export interface ReadAnswer {
  readonly status: number;
  readonly contentType: string;
  /** The headers and trailers that mean something to the caller and stand nowhere else here, sorted. */
  readonly headers: readonly string[];
  readonly messages: readonly JsonValue[];
  readonly error: WireError | undefined;
}

/** They tell of the connection, of compression or of the error, or stand only in answers to pages. */
const INDIFFERENT =
  /^(content-(type|length)|date|connection|keep-alive|grpc-(status|message|status-details-bin)|transfer-encoding|vary|access-control-.*|(content|grpc|connect-content)-encoding)$/;
/** One that the gateway makes. */
const REQUEST_ID = /^x-request-id: [\w-]{8}-[\da-z]+$/;
const COMPRESSED = 0x01;
const NO_MESSAGE = 0x82;
const VARIES =
  /revision|version|token|lease|renew|time|ttl|checksum|session|holder|remaining|subscriberId|instanceId/i;
/** Fields of bytes, which stand in JSON as base64. */
const BYTES = /Bytes$/;

/** Reads an answer of an rpc whose messages are of type `output`. Throws where it is not one clear answer. */
export function readAnswer(answer: RawAnswer, output: DescMessage): ReadAnswer {
  const error = wireErrorOf(answer);
  const { 'content-type': contentType = '' } = answer.headers;
  return {
    status: answer.status,
    contentType,
    headers: Object.entries({ ...answer.headers, ...answer.trailers })
      .filter(([name]) => !INDIFFERENT.test(name))
      .map(([name, value]) => `${name}: ${REQUEST_ID.test(`${name}: ${value}`) ? '#' : value}`)
      .sort(),
    messages: messageBytesOf(answer, contentType).map((bytes) => {
      const isJson = contentType.includes('json');
      const message = isJson ? fromJsonString(output, bytes.toString()) : fromBinary(output, bytes);
      return masked(toJson(output, message));
    }),
    error: error && {
      ...error,
      message: maskedText(error.message),
      metadata: masked(error.metadata) as WireError['metadata'],
    },
  };
}

function messageBytesOf({ status, headers, body }: RawAnswer, contentType: string): readonly Buffer[] {
  if (/^application\/(grpc|connect\+)/.test(contentType)) {
    return envelopesOf(body)
      .filter(({ flags }) => (flags & NO_MESSAGE) === 0)
      .map(({ flags, content }) => ((flags & COMPRESSED) === 0 ? content : gunzipSync(content)));
  }
  if (status !== 200) return [];
  return [headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body];
}

/** Masks the value of a field, or each of them. Which leases stand on a page depends on their ids: of those only the number is kept. */
function masked(value: JsonValue, name = ''): JsonValue {
  const isVarying = VARIES.test(name);
  if (Array.isArray(value)) {
    if (name === 'leases') return value.length;
    const items = value.map((each) => masked(each, name));
    // They stand in the order of their ids.
    return isVarying ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, key)]));
  }
  if (isVarying) return 'varies';
  if (typeof value !== 'string') return value;
  return maskedText(BYTES.test(name) ? Buffer.from(value, 'base64').toString('latin1') : value);
}

/** Ids, times and revisions in the middle of a text. */
function maskedText(text: string): string {
  return text.replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|\d[\d:.TZ-]{3,}|(?<=revision )\d+/g, '#');
}
