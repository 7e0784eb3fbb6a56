// Path templates of google.api.http (https://github.com/googleapis/googleapis, google/api/http.proto): `/v1/kv/{key=**}`,
// `/v1/locks/{name=**}:release`.
//
// `*` is one segment, `**` all that follow, also none; `{field}` is `{field=*}`. A variable is percent-decoded, slashes too, so that
// a key can be written as it is or with `%2F`; a `:` that is not to begin a verb is written as `%3A`.

import { reasonError } from '../../rpc/checks/errors.ts';

/** A template, ready to use. */
export interface PathTemplate {
  /** The fields that it names, such as `instance.service`, in order. */
  readonly fields: readonly string[];
  /** The greater, the sooner it is tried. */
  readonly weight: number;
  /** Returns the fields that a path holds; undefined: it does not match. Throws REQUEST_MALFORMED for bad percent-encoding. */
  match(path: string): ReadonlyMap<string, string> | undefined;
}

const VARIABLE = /^\{([a-z0-9_.]+)(?:=(\*\*?))?\}$/;
/** Whatever ends in a variable of many segments gives way to all that does not. */
const MANY = -1_000;

/** Compiles a template. Throws an Error where it is none that is understood here. */
export function compileTemplate(template: string): PathTemplate {
  const [, path = '', verb = ''] = /^(\/.*?)(:[A-Za-z]+)?$/.exec(template) ?? [];
  const fields: string[] = [];
  let weight = verb === '' ? 0 : 1;
  const parts = path
    .slice(1)
    .split('/')
    .map((segment) => {
      const [, field, span = '*'] = VARIABLE.exec(segment) ?? [];
      if (field === undefined) {
        if (/[{}*]/.test(segment)) throw new Error(`the path template ${template} is not understood`);
        weight += 10;
        return escaped(segment);
      }
      fields.push(field);
      weight += span === '**' ? MANY : 1;
      return span === '**' ? '(.*)' : '([^/]+)';
    });
  const pattern = new RegExp(`^/${parts.join('/')}${escaped(verb)}$`);
  return {
    fields,
    weight,
    match(path) {
      const found = pattern.exec(path);
      if (found === null) return undefined;
      return new Map(fields.map((field, i) => [field, decoded(found[i + 1] ?? '')]));
    },
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw reasonError('REQUEST_MALFORMED', 'The path is not percent-encoded UTF-8', {}, error);
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
