import type { IncomingHttpHeaders } from 'node:http';
import { FieldDecoder, type Fields } from './hpack/field-decoder.ts';

/** What a request begins with. It belongs to all requests of its connection that begin so, and is not to be changed. */
export interface RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly path: string;
  /** Undefined: it names none. */
  readonly authority: string | undefined;
  /** As node:http has them, without those that begin with a colon. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Of the body, in bytes, where the client tells it. */
  readonly contentLength: number | undefined;
}

/** What a block of headers stands for; `malformed`: what HTTP does not allow; `too large`: more than is taken. */
export type BlockContent = RequestHead | 'malformed' | 'too large';

/** The largest list of headers, in bytes as SETTINGS_MAX_HEADER_LIST_SIZE counts them: 64 KiB. */
export const MAX_HEADER_LIST_BYTES = 64 * 1024;
/** Blocks up to this size, and so many of them, are remembered with what they stand for. */
const MAX_KNOWN_BYTES = 256;
const MAX_KNOWN = 64;

/**
 * Reads the blocks of headers of one connection.
 *
 * Who calls the same rpc over and over sends the same few bytes each time, since the table of HPACK has all the fields: they are read once.
 */
export class RequestHeads {
  readonly #decoder = new FieldDecoder(MAX_HEADER_LIST_BYTES);
  readonly #known = new Map<string, RequestHead>();
  #knownVersion = 0;

  /** Throws an HpackError. */
  read(block: Buffer): BlockContent {
    const key = block.length <= MAX_KNOWN_BYTES ? block.toString('latin1') : undefined;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const fields = this.#decoder.decode(block);
    const head = fields === undefined ? 'too large' : (headOf(fields) ?? 'malformed');
    const isStable = this.#decoder.tableVersion === this.#knownVersion;
    if (isStable && key !== undefined && typeof head !== 'string') this.#remember(key, head);
    this.#forgetOutdated();
    return head;
  }

  /** Reads a block that follows a body; false: it is not allowed, or too large. Throws an HpackError. */
  readTrailers(block: Buffer): boolean {
    const fields = this.#decoder.decode(block);
    this.#forgetOutdated();
    return fields !== undefined && areTrailers(fields);
  }

  #remember(key: string, head: RequestHead): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, head);
  }

  /** Where what indexes stand for has changed, no block is known any more. */
  #forgetOutdated(): void {
    if (this.#decoder.tableVersion === this.#knownVersion) return;
    this.#knownVersion = this.#decoder.tableVersion;
    this.#known.clear();
  }
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/;
const PATH = /^\/[\x21-\x7e\x80-\xff]*$/;
/** What belongs to a connection of HTTP/1.1 (RFC 9113, 8.2.2). */
const OF_CONNECTIONS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** Of what makes no sense twice the first one counts, as with node:http. */
const SINGLE = new Set(
  'age authorization content-encoding content-length content-type etag expires from host if-modified-since if-unmodified-since last-modified location max-forwards proxy-authorization referer retry-after user-agent'.split(
    ' ',
  ),
);

/** An object without what objects inherit, which a header could be named like. */
const Headers = function Headers() {} as unknown as new () => Record<string, string | string[]>;
Headers.prototype = Object.create(null);

/** Returns undefined where the fields are not a request (RFC 9113, 8.2 and 8.3). */
function headOf(fields: Fields): RequestHead | undefined {
  const pseudo: Record<string, string | undefined> = {};
  const headers = new Headers();
  let isBehind = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = withoutOuterSpace(fields[i + 1] ?? '');
    if (name.startsWith(':')) {
      if (isBehind || !PSEUDO.has(name) || pseudo[name] !== undefined || !VALUE.test(value)) return undefined;
      pseudo[name] = value;
    } else {
      isBehind = true;
      if (!isField(name, value)) return undefined;
      if (name === 'content-length' && headers[name] !== undefined && headers[name] !== value)
        return undefined;
      put(headers, name, value);
    }
  }
  const { ':method': method, ':scheme': scheme, ':path': path, ':authority': authority } = pseudo;
  const length = headers['content-length'];
  if (method === undefined || scheme === undefined || path === undefined) return undefined;
  if (!METHOD.test(method) || !SCHEME.test(scheme)) return undefined;
  if (!PATH.test(path) && !(path === '*' && method === 'OPTIONS')) return undefined;
  if (length !== undefined && !LENGTH.test(String(length))) return undefined;
  return {
    method,
    scheme,
    path,
    authority,
    headers,
    contentLength: length === undefined ? undefined : Number(length),
  };
}

/** White space around a value is not of it, as in HTTP/1.1 (RFC 9110, 5.5): it is borne, as by most servers. */
function withoutOuterSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return end - start === text.length ? text : text.slice(start, end);
}

function isSpace(character: number): boolean {
  return character === 0x20 || character === 0x09;
}

function areTrailers(fields: Fields): boolean {
  for (let i = 0; i < fields.length; i += 2) if (!isField(fields[i] ?? '', fields[i + 1] ?? '')) return false;
  return true;
}

/** Whether HTTP/2 allows a field that has no colon in front (RFC 9113, 8.2.1 and 8.2.2). */
function isField(name: string, value: string): boolean {
  if (!NAME.test(name) || !VALUE.test(value)) return false;
  return !OF_CONNECTIONS.has(name) && (name !== 'te' || value === 'trailers');
}

const PSEUDO = new Set([':method', ':scheme', ':path', ':authority']);

function put(headers: Record<string, string | string[]>, name: string, value: string): void {
  const before = headers[name];
  if (name === 'set-cookie') headers[name] = before === undefined ? [value] : [...before, value];
  else if (before === undefined) headers[name] = value;
  else if (!SINGLE.has(name)) headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
}
