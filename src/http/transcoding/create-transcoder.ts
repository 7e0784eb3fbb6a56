// Rpcs by plain HTTP: finds the rpc that a method and a path mean, and makes its request of path, query and body.

import { type DescMessage, type DescService, getOption } from '@bufbuild/protobuf';
import { message as messageRules } from '../../../gen/buf/validate/validate_pb.ts';
import { reasonError } from '../../rpc/checks/errors.ts';
import { type HttpBinding, readHttpBindings } from './http-bindings.ts';
import { type JsonFields, setField } from './request-fields.ts';

/** What a request brings besides its path. */
export interface HttpInput {
  readonly query: URLSearchParams;
  readonly body: Uint8Array;
  /** What a browser's EventSource sends when it comes back (https://html.spec.whatwg.org, 9.2.4). */
  readonly lastEventId: string | undefined;
}

/** An rpc that was found. */
export interface HttpCall {
  /** Such as `/concord.kv.v1.KvService/Get`. */
  readonly rpcPath: string;
  /** Returns the request as JSON. Throws REQUEST_MALFORMED. */
  request(input: HttpInput): string;
}

/** A path that is known, though not with this method. */
export interface OtherMethods {
  readonly allow: readonly string[];
}

/** Finds the rpc of a method and a path as it was sent; undefined: the path means none. Throws REQUEST_MALFORMED. */
export type Transcoder = (httpMethod: string, path: string) => HttpCall | OtherMethods | undefined;

/** Creates it of the annotations of services. */
export function createTranscoder(services: readonly DescService[]): Transcoder {
  const bindings = [...readHttpBindings(services)].sort((a, b) => b.template.weight - a.template.weight);
  return (httpMethod, path) => {
    const allow = new Set<string>();
    for (const binding of bindings) {
      const fields = binding.template.match(path);
      if (fields === undefined) continue;
      if (binding.httpMethod === httpMethod) return callOf(binding, fields);
      allow.add(binding.httpMethod);
    }
    return allow.size === 0 ? undefined : { allow: [...allow].sort() };
  };
}

function callOf({ method, body }: HttpBinding, fields: ReadonlyMap<string, string>): HttpCall {
  return {
    rpcPath: `/${method.parent.typeName}/${method.name}`,
    request(input) {
      const message: JsonFields = {};
      if (input.body.length > 0) {
        if (body === '') throw reasonError('REQUEST_MALFORMED', 'The request takes no body; use the query');
        const parsed = parse(input.body);
        if (body === '*') Object.assign(message, objectOf(parsed));
        else message[body] = parsed;
      }
      for (const name of new Set(input.query.keys()))
        setField(method.input, message, name, input.query.getAll(name));
      for (const [name, text] of fields) setField(method.input, message, name, [text]);
      if (input.lastEventId !== undefined && method.input.field['resumeToken'] !== undefined)
        resumeAt(input.lastEventId, method.input, message);
      return JSON.stringify(message);
    },
  };
}

/** What else says where to begin gives way: an event source comes back to the address that it first had. */
function resumeAt(token: string, descriptor: DescMessage, message: JsonFields): void {
  const excluded = getOption(descriptor, messageRules)
    .oneof.filter(({ fields }) => fields.includes('resume_token'))
    .flatMap(({ fields }) => fields);
  for (const { name, jsonName } of descriptor.fields) {
    if (!excluded.includes(name)) continue;
    delete message[name];
    delete message[jsonName];
  }
  message['resumeToken'] = token;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw reasonError('REQUEST_MALFORMED', 'The body is not JSON', {}, error);
  }
}

function objectOf(parsed: unknown): object {
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw reasonError('REQUEST_MALFORMED', 'The body is no JSON object');
}
