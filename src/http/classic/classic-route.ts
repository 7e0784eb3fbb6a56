// One classic route, and what many of them do alike.

import { reasonError } from '../../rpc/checks/errors.ts';
import type { HttpInput } from '../transcoding/create-transcoder.ts';

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A request of a classic route. */
export interface ClassicRequest extends HttpInput {
  /** What the path names. */
  readonly params: Readonly<Record<string, string>>;
}

/** One route. */
export interface ClassicRoute {
  readonly httpMethod: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** A path template. A key that begins like another route is written with `%2F`: `/etcd/kv/prefix%2Fx`. */
  readonly path: string;
  /** Such as `/concord.kv.v1.KvService/Get`. */
  readonly rpcPath: string;
  /** Returns the request of the rpc. Throws REQUEST_MALFORMED. */
  request(request: ClassicRequest): Fields;
  /** Returns what is answered, besides `success`. */
  answer(response: Fields, request: Pick<ClassicRequest, 'params' | 'query'>): Fields;
}

const MAX_PAGE_SIZE = 1_000;

/** Returns a query parameter. Throws REQUEST_MALFORMED where it is missing. */
export function required(query: URLSearchParams, name: string): string {
  const text = query.get(name);
  if (text === null) throw reasonError('REQUEST_MALFORMED', `The query parameter "${name}" is missing`);
  return text;
}

/** Returns the fields of a page. */
export function pageIn(query: URLSearchParams): Fields {
  const pageToken = query.get('pageToken');
  const pageSize = query.get('pageSize') ?? MAX_PAGE_SIZE;
  return { page_size: pageSize, ...(pageToken !== null && { page_token: pageToken }) };
}

/** Returns the profile, where the query names one. */
export function profileIn(query: URLSearchParams): Fields {
  const profile = query.get('profile');
  return profile === null ? {} : { profile };
}

/** Returns the entries of a body that is a JSON object. Throws REQUEST_MALFORMED. */
export function entriesIn(body: Uint8Array): readonly (readonly [string, unknown])[] {
  return Object.entries(jsonObject('The body', new TextDecoder().decode(body)));
}

/** Returns a text as a JSON object. Throws REQUEST_MALFORMED where it is none. */
export function jsonObject(what: string, text: string): Fields {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Fields;
  } catch (error) {
    throw reasonError('REQUEST_MALFORMED', `${what} is not JSON`, {}, error);
  }
  throw reasonError('REQUEST_MALFORMED', `${what} is no JSON object`);
}

/** Returns a value as text: a text as it is, all else as JSON. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Returns a number of 64 bits, which is a text in the JSON of Protobuf; one that a number cannot hold stays one. */
export function numberIn(value: unknown): unknown {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) ? number : value;
}

/** Returns a duration of the JSON of Protobuf in seconds. */
export function secondsIn(duration: unknown): number {
  return Number.parseFloat(String(duration ?? '0s'));
}

/** Returns the objects of a list. */
export function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

/** Returns an object; empty where it is none. */
export function fieldsIn(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
