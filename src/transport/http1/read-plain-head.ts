import type { IncomingHttpHeaders } from 'node:http';

/** The head of a plain request: a POST of HTTP/1.1 that tells its length, and has nothing that Node.js would have to think about. */
export interface PlainHead {
  /** With its query, if it has one. */
  readonly path: string;
  /** By their names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Of the body, in bytes. */
  readonly contentLength: number;
}

/** What ends a head. */
export const END_OF_HEAD = '\r\n\r\n';

const REQUEST_LINE = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1\r\n/;
/** RFC 9112, 5: a token, and a value of visible characters that has no space around it but one after the colon. */
const HEADER = /([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x21-\x7e]+(?:[ \t]+[\x21-\x7e]+)*)\r\n/y;
const CONTENT_LENGTH = /^(?:0|[1-9]\d{0,8})$/;
/** Those that change where a message ends or what becomes of its connection, or want an answer before the body. */
const NOT_PLAIN: ReadonlySet<string> = new Set([
  'expect',
  'proxy-connection',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Reads a head, up to the line break of its last header, each of its bytes a character.
 *
 * Undefined for whatever is not plainly a single request of known length: every header is strictly of the form of RFC 9112 and comes
 * once, so that no one who stands in front can have understood it differently (RFC 9112, 11.2).
 */
export function readPlainHead(text: string): PlainHead | undefined {
  const [line, path] = REQUEST_LINE.exec(text) ?? [];
  if (line === undefined || path === undefined) return undefined;
  const headers: IncomingHttpHeaders = Object.create(null);
  HEADER.lastIndex = line.length;
  while (HEADER.lastIndex < text.length) {
    const [, name, value] = HEADER.exec(text) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    if (NOT_PLAIN.has(key) || headers[key] !== undefined) return undefined;
    headers[key] = value;
  }
  const { host, connection = 'keep-alive', 'content-length': contentLength = '' } = headers;
  if (host === undefined || connection.toLowerCase() !== 'keep-alive') return undefined;
  if (!CONTENT_LENGTH.test(contentLength)) return undefined;
  return { path, headers, contentLength: Number(contentLength) };
}
