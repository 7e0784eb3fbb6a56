import { gunzipSync } from 'node:zlib';
import { type DescMessage, fromBinary, fromJsonString, type JsonValue, toJson } from '@bufbuild/protobuf';
import type { RawAnswer } from '../raw-request.ts';
import { envelopesOf } from '../wire-envelopes.ts';
import { type WireError, wireErrorOf } from '../wire-error.ts';

/** What an answer says. What differs from one time to the next (revisions, tokens, leases, times) is masked. */
export interface ReadAnswer {
  readonly status: number;
  readonly contentType: string;
  /** The names of the headers and trailers that mean something to the caller, sorted. */
  readonly headers: readonly string[];
  readonly messages: readonly JsonValue[];
  readonly error: WireError | undefined;
}

/** They tell of the connection, of compression or of the error, or stand only in answers to pages. */
const INDIFFERENT =
  /^(date|content-length|connection|keep-alive|grpc-(status|message|status-details-bin)|transfer-encoding|vary|access-control-.*|(content|grpc|connect-content)-encoding)$/;
const COMPRESSED = 0x01;
const NO_MESSAGE = 0x82;
const VARIES =
  /revision|version|token|lease|renew|time|ttl|checksum|session|holder|remaining|subscriberId|instanceId/i;

/** Reads an answer of an rpc whose messages are of type `output`. Throws where it is not one clear answer. */
export function readAnswer(answer: RawAnswer, output: DescMessage): ReadAnswer {
  const error = wireErrorOf(answer);
  const { 'content-type': contentType = '' } = answer.headers;
  return {
    status: answer.status,
    // Where the library cannot write its own error into a header, the answer of gRPC has no body, and so no codec.
    contentType: error === undefined ? contentType : contentType.replace(/(?<=grpc.*)\+(proto|json)$/, ''),
    headers: [...new Set([...Object.keys(answer.headers), ...Object.keys(answer.trailers)])]
      .filter((name) => !INDIFFERENT.test(name))
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

/** Which leases stand on a page depends on their ids: of those only the number is kept. */
function masked(value: JsonValue, isVarying = false): JsonValue {
  if (Array.isArray(value)) {
    const items = value.map((each) => masked(each, isVarying));
    // They stand in the order of their ids.
    return isVarying ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof value === 'string') return isVarying ? 'varies' : maskedText(value);
  if (typeof value !== 'object' || value === null) return isVarying ? 'varies' : value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      name === 'leases' && Array.isArray(each) ? each.length : masked(each, VARIES.test(name)),
    ]),
  );
}

/** Ids, times and revisions in the middle of a text. */
function maskedText(text: string): string {
  return text.replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|\d[\d:.TZ-]{3,}|(?<=revision )\d+/g, '#');
}
