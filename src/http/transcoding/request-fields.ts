// Fields of a request from the path and the query of a URL, as the JSON that Protobuf reads.

import type { DescEnum, DescField, DescMessage } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { reasonError } from '../../rpc/checks/errors.ts';

/** A JSON object that is being built. */
export type JsonFields = { [name: string]: unknown };

/**
 * Sets a field by its name, in the contract's or in JSON's spelling; of a message in the request by a path such as
 * `instance.service`, of a map `metadata.zone`. Each further value of a repeated field is another item.
 *
 * Throws REQUEST_MALFORMED where there is no such field, or it cannot be written in a URL.
 */
export function setField(
  message: DescMessage,
  target: JsonFields,
  path: string,
  texts: readonly string[],
  whole = path,
): void {
  const [name = '', ...rest] = path.split('.');
  const field = message.fields.find((each) => each.name === name || each.jsonName === name);
  if (field === undefined) throw noSuchField(whole);
  const under = rest.join('.');
  if (field.fieldKind === 'map' && under !== '') {
    const map = objectIn(target, field.jsonName);
    map[under] = texts.at(-1);
  } else if (field.fieldKind === 'message' && under !== '') {
    setField(field.message, objectIn(target, field.jsonName), under, texts, whole);
  } else if (under === '') target[field.jsonName] = textsValue(field, texts, whole);
  else throw noSuchField(whole);
}

/** The last of several values of a field that takes one counts. */
function textsValue(field: DescField, texts: readonly string[], path: string): unknown {
  const last = texts.at(-1) ?? '';
  switch (field.fieldKind) {
    case 'scalar':
      return scalarOf(field.scalar, last);
    case 'enum':
      return enumOf(field.enum, last);
    case 'list':
      if (field.listKind === 'scalar') return texts.map((text) => scalarOf(field.scalar, text));
      if (field.listKind === 'enum') return texts.map((text) => enumOf(field.enum, text));
      throw notInUrl(path);
    case 'message':
      return messageOf(field.message, last, path);
    case 'map':
      throw notInUrl(path);
  }
}

/** What is not of its type is left as it is, for Protobuf to refuse. */
function scalarOf(scalar: ScalarType, text: string): unknown {
  if (scalar !== ScalarType.BOOL) return text;
  // A flag without a value is set: `?prev`.
  if (text === '' || text === 'true' || text === '1') return true;
  return text === 'false' || text === '0' ? false : text;
}

/** A name with or without its prefix, in any case: `VIEW_KEYS_ONLY`, `keys_only`. */
function enumOf(descriptor: DescEnum, text: string): unknown {
  if (/^\d+$/.test(text)) return Number(text);
  const wanted = text.toUpperCase();
  const prefix = (descriptor.sharedPrefix ?? '').toUpperCase();
  return descriptor.values.find(({ name }) => name === wanted || name === prefix + wanted)?.name ?? text;
}

/** A duration in seconds, with or without its unit; of other messages, those that JSON writes as a text. */
function messageOf({ typeName }: DescMessage, text: string, path: string): unknown {
  if (typeName === DurationSchema.typeName) return /^\d+(\.\d+)?$/.test(text) ? `${text}s` : text;
  if (typeName.startsWith('google.protobuf.')) return text;
  throw notInUrl(path);
}

function objectIn(target: JsonFields, name: string): JsonFields {
  const known = target[name];
  if (typeof known === 'object' && known !== null) return known as JsonFields;
  const made: JsonFields = {};
  target[name] = made;
  return made;
}

function noSuchField(path: string) {
  const field = path.slice(0, 100);
  return reasonError('REQUEST_MALFORMED', `The request has no field "${field}"`, {});
}

function notInUrl(path: string) {
  return reasonError(
    'REQUEST_MALFORMED',
    `The field "${path}" cannot be written in a URL; send it in the body`,
  );
}
