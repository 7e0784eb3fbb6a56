// Schemas of single fields: their type as JSON writes it, and their rules.

import { type DescEnum, type DescField, type DescMessage, getOption, ScalarType } from '@bufbuild/protobuf';
import { DurationSchema, FeatureSet_FieldPresence, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { type FieldRules, field as fieldRules } from '../../gen/buf/validate/validate_pb.ts';
import { boundsInWords, defaultIn } from './field-words.ts';
import type { Schema } from './open-api.ts';

/** Returns the reference to the schema of a message or an enum. */
export type RefOf = (type: DescMessage | DescEnum) => Schema;

/** Returns the schema of a field, with its description: its comment, and what the rules say that the comment does not. */
export function fieldSchema(field: DescField, comment: string, refOf: RefOf): Schema {
  const rules = getOption(field, fieldRules);
  const byDefault = defaultIn(field, comment);
  return {
    description: [comment, ...boundsInWords(rules, comment)].join(' '),
    ...typeSchema(field, rules, refOf),
    ...(byDefault !== undefined && { default: byDefault }),
  };
}

/** Tells whether a request without the field is refused. */
export function isRequired(field: DescField): boolean {
  const { required, type } = getOption(field, fieldRules);
  if (required) return true;
  // A field that knows whether it is set is not held to its rules while it is not.
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) return false;
  switch (type.case) {
    case 'string':
      return type.value.minBytes > 0n;
    case 'int32':
      return type.value.greaterThan.case === 'gte' && type.value.greaterThan.value > 0;
    case 'int64': {
      const { greaterThan } = type.value;
      return greaterThan.case === 'gt' || (greaterThan.case === 'gte' && greaterThan.value > 0n);
    }
    case 'repeated':
      return type.value.minItems > 0n;
    default:
      return false;
  }
}

function typeSchema(field: DescField, rules: FieldRules, refOf: RefOf): Schema {
  switch (field.fieldKind) {
    case 'scalar':
      return scalarSchema(field.scalar, rules);
    case 'enum':
      return refOf(field.enum);
    case 'message':
      return messageSchema(field.message, refOf);
    case 'list':
      return listSchema(field, rules, refOf);
    case 'map': {
      const { maxPairs = 0n, keys, values } = rules.type.case === 'map' ? rules.type.value : {};
      return {
        type: 'object',
        additionalProperties:
          field.mapKind === 'scalar'
            ? scalarSchema(field.scalar, values)
            : refOf(field.mapKind === 'enum' ? field.enum : field.message),
        ...(keys !== undefined && { propertyNames: scalarSchema(field.mapKey, keys) }),
        ...(maxPairs > 0n && { maxProperties: Number(maxPairs) }),
      };
    }
  }
}

function listSchema(field: DescField & { fieldKind: 'list' }, rules: FieldRules, refOf: RefOf): Schema {
  const {
    minItems = 0n,
    maxItems = 0n,
    unique,
    items,
  } = rules.type.case === 'repeated' ? rules.type.value : {};
  const item =
    field.listKind === 'scalar'
      ? scalarSchema(field.scalar, items)
      : field.listKind === 'enum'
        ? refOf(field.enum)
        : messageSchema(field.message, refOf);
  return {
    type: 'array',
    items: item,
    ...(minItems > 0n && { minItems: Number(minItems) }),
    ...(maxItems > 0n && { maxItems: Number(maxItems) }),
    ...(unique && { uniqueItems: true }),
  };
}

function messageSchema(message: DescMessage, refOf: RefOf): Schema {
  if (message.typeName === DurationSchema.typeName)
    return { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', examples: ['30s'] };
  if (message.typeName === TimestampSchema.typeName) return { type: 'string', format: 'date-time' };
  return refOf(message);
}

function scalarSchema(scalar: ScalarType, rules: FieldRules | undefined): Schema {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: 'string', ...stringBounds(rules) };
    case ScalarType.BYTES: {
      const { maxLen = 0n } = rules?.type.case === 'bytes' ? rules.type.value : {};
      // Four characters of base64 hold three bytes.
      const maxLength = 4 * Math.ceil(Number(maxLen) / 3);
      return { type: 'string', contentEncoding: 'base64', ...(maxLen > 0n && { maxLength }) };
    }
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { type: 'string', format: 'int64', pattern: int64Pattern(rules), examples: ['42'] };
    default:
      return { type: 'integer', format: 'int32', ...int32Bounds(rules) };
  }
}

/** A text of so many bytes has at least one character, and at most as many as bytes. */
function stringBounds(rules: FieldRules | undefined): Schema {
  if (rules?.type.case !== 'string') return {};
  const { minBytes, maxBytes, pattern } = rules.type.value;
  return {
    ...(minBytes > 0n && { minLength: 1 }),
    ...(maxBytes > 0n && { maxLength: Number(maxBytes) }),
    ...(pattern !== '' && { pattern }),
  };
}

function int32Bounds(rules: FieldRules | undefined): Schema {
  if (rules?.type.case !== 'int32') return {};
  const { greaterThan, lessThan } = rules.type.value;
  return {
    ...(greaterThan.case !== undefined && { minimum: greaterThan.value }),
    ...(lessThan.case !== undefined && { maximum: lessThan.value }),
  };
}

function int64Pattern(rules: FieldRules | undefined): string {
  const isNeverNegative = rules?.type.case === 'int64' && rules.type.value.greaterThan.case !== undefined;
  return isNeverNegative ? '^[0-9]{1,19}$' : '^-?[0-9]{1,19}$';
}
