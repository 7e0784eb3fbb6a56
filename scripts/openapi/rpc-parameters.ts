// What a request brings outside its body: the fields that its path names, and those of its query.

import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import type { HttpBinding } from '../../src/http/transcoding/http-bindings.ts';
import type { CommentOf } from './comments.ts';
import { fieldSchema, isRequired, type RefOf } from './field-schema.ts';
import type { Parameter } from './open-api.ts';

/** Where to look up what parameters are described with. */
export interface Describing {
  readonly commentOf: CommentOf;
  readonly refOf: RefOf;
}

const MANY_SEGMENTS =
  'It may hold slashes, written as they are or as `%2F`; a `:` that is not to begin a verb is `%3A`.';
const RESUMES: Parameter = {
  name: 'Last-Event-ID',
  in: 'header',
  description:
    'The id of the last event received, which is a resume token: an EventSource sends it by itself.',
  schema: { type: 'string' },
};

/** Returns the path of a binding as OpenAPI writes it: `/v1/services/{service}/instances` for `/v1/services/{instance.service}/…`. */
export function openApiPath({ path, method }: HttpBinding): string {
  return path.replace(
    /\{([a-z0-9_.]+)(?:=\*\*?)?\}/g,
    (_, field: string) => `{${fieldAt(method.input, field).jsonName}}`,
  );
}

/** Returns the field of a message that a path such as `instance.service` names. Throws an Error where there is none. */
export function fieldAt(message: DescMessage, path: string): DescField {
  const [name, ...rest] = path.split('.');
  const field = message.fields.find((each) => each.name === name);
  if (field === undefined) throw new Error(`${message.typeName} has no field ${path}`);
  if (rest.length === 0) return field;
  if (field.fieldKind !== 'message') throw new Error(`${message.typeName} has no message ${name}`);
  return fieldAt(field.message, rest.join('.'));
}

/** Returns the parameters of a binding, those of the path first. */
export function parametersOf(binding: HttpBinding, describing: Describing): readonly Parameter[] {
  const { method, path, template, body } = binding;
  const inPath = template.fields.map((name): Parameter => {
    const field = fieldAt(method.input, name);
    const { description, ...schema } = fieldSchema(field, describing.commentOf(field), describing.refOf);
    return {
      name: field.jsonName,
      in: 'path',
      description: path.includes(`{${name}=**}`) ? `${description} ${MANY_SEGMENTS}` : String(description),
      required: true,
      schema,
    };
  });
  const named = new Set(template.fields);
  const inQuery = body === '*' ? [] : queryOf(method.input, describing, named, '');
  const resumes = method.methodKind === 'server_streaming' && method.input.field['resumeToken'] !== undefined;
  return [...inPath, ...inQuery, ...(resumes ? [RESUMES] : [])];
}

/** The fields of a message that a URL can hold; those of a message in it by `filter.tags`. */
function queryOf(
  message: DescMessage,
  describing: Describing,
  named: ReadonlySet<string>,
  prefix: string,
): readonly Parameter[] {
  return message.fields.flatMap((field): readonly Parameter[] => {
    if (prefix === '' && named.has(field.name)) return [];
    const name = prefix + field.jsonName;
    if (field.fieldKind === 'message' && !field.message.typeName.startsWith('google.protobuf.'))
      return queryOf(field.message, describing, named, `${name}.`);
    if (field.fieldKind === 'map' || (field.fieldKind === 'list' && field.listKind === 'message')) return [];
    const { description, ...schema } = fieldSchema(field, describing.commentOf(field), describing.refOf);
    return [
      {
        name,
        in: 'query',
        description: String(description) + urlNote(field),
        ...(prefix === '' && isRequired(field) && { required: true as const }),
        schema,
      },
    ];
  });
}

function urlNote(field: DescField): string {
  if (field.fieldKind === 'list') return ' Repeat it for several.';
  if (field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES)
    return ' As base64, also with the letters of URLs (RFC 4648, 5).';
  return '';
}
