// Schemas of messages and enums. What is referred to is gathered, and stands under `components.schemas`.

import { type DescEnum, type DescMessage, getOption } from '@bufbuild/protobuf';
import { message as messageRules, oneof as oneofRules } from '../../gen/buf/validate/validate_pb.ts';
import type { CommentOf } from './comments.ts';
import { fieldSchema, isRequired, type RefOf } from './field-schema.ts';
import type { Schema } from './open-api.ts';

/** The schemas of one document. */
export interface MessageSchemas {
  /** Returns the reference to a message or an enum. */
  readonly refOf: RefOf;
  /** Returns the reference to a request as a body holds it: without the fields that the path names. */
  bodyRef(message: DescMessage, inPath: ReadonlySet<string>): Schema;
  /** Returns all that were referred to, and what these refer to, in the order of their names. */
  all(): Readonly<Record<string, Schema>>;
}

/**
 * Creates them.
 *
 * @param boundFields the fields that paths name, such as `concord.discovery.v1.Instance.service`: no body must have them.
 */
export function createMessageSchemas(commentOf: CommentOf, boundFields: ReadonlySet<string>): MessageSchemas {
  const schemas = new Map<string, Schema>();
  const bodies = new Map<string, string>();

  const refOf: RefOf = (type) => refTo(type, () => schemaOf(type));

  function refTo({ typeName }: DescMessage | DescEnum, make: () => Schema): Schema {
    if (!schemas.has(typeName)) {
      // A message may hold itself.
      schemas.set(typeName, {});
      schemas.set(typeName, make());
    }
    return { $ref: `#/components/schemas/${typeName}` };
  }

  function schemaOf(type: DescMessage | DescEnum): Schema {
    return type.kind === 'enum' ? enumSchema(type, commentOf) : messageSchema(type, new Set());
  }

  function messageSchema(message: DescMessage, left: ReadonlySet<string>): Schema {
    const fields = message.fields.filter(({ name }) => !left.has(name));
    const required = fields
      .filter((field) => isRequired(field) && !boundFields.has(`${message.typeName}.${field.name}`))
      .map(({ jsonName }) => jsonName);
    return {
      description: [commentOf(message), ...choicesOf(message, left)].join('\n\n'),
      type: 'object',
      properties: Object.fromEntries(
        fields.map((field) => [field.jsonName, fieldSchema(field, commentOf(field), refOf)]),
      ),
      ...(required.length > 0 && { required }),
    };
  }

  return {
    refOf,
    bodyRef(message, inPath) {
      const { typeName } = message;
      const left = [...inPath].sort().join();
      if ((bodies.get(typeName) ?? left) !== left)
        throw new Error(`two paths leave different fields of ${typeName} to the body`);
      bodies.set(typeName, left);
      return refTo(message, () => messageSchema(message, inPath));
    },
    all: () => Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** The values with their comments stand in the description: a schema has no other place for them. */
export function enumSchema(type: DescEnum, commentOf: CommentOf): Schema {
  const meanings = type.values.map((value) => `- \`${value.name}\`: ${commentOf(value)}`);
  return {
    description: `${commentOf(type)}\n\n${meanings.join('\n')}`,
    type: 'string',
    enum: type.values.map(({ name }) => name),
  };
}

/** Returns which fields exclude each other, and what else holds for several at once; `left`: fields that stand elsewhere. */
export function choicesOf(message: DescMessage, left: ReadonlySet<string>): readonly string[] {
  const { cel, oneof } = getOption(message, messageRules);
  const jsonNames = new Map(message.fields.map(({ name, jsonName }) => [name, jsonName]));
  const choices = [
    ...message.oneofs.map((each) => ({
      fields: each.fields.map(({ name }) => name),
      required: getOption(each, oneofRules).required,
    })),
    ...oneof,
  ];
  return [
    ...choices.flatMap(({ fields, required }) => {
      const open = fields.filter((name) => !left.has(name));
      const names = open.map((name) => `\`${jsonNames.get(name) ?? name}\``).join(', ');
      // What the path names is set already.
      if (open.length < fields.length) return [`${names} only where the path leaves that place empty.`];
      return [`${required ? 'Exactly' : 'At most'} one of ${names}.`];
    }),
    ...cel.map(({ message: said }) => sentence(said)),
  ];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
