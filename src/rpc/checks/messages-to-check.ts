// What protovalidate leaves unchecked in a message: it stops where a type comes again within itself (a transaction in a
// transaction), and looks at a duration's sum alone.

import { type DescField, type DescMessage, isMessage, type Message } from '@bufbuild/protobuf';
import { type Path, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { DurationSchema } from '@bufbuild/protobuf/wkt';

/** A message that needs a check of its own, and where it stands. */
export type MessageToCheck =
  | { readonly kind: 'message'; readonly schema: DescMessage; readonly message: Message; readonly at: Path }
  | { readonly kind: 'duration'; readonly seconds: bigint; readonly nanos: number; readonly at: Path };

const kinds = new WeakMap<DescMessage, boolean>();
const fieldsToLookInto = new WeakMap<DescMessage, readonly DescField[]>();
const NONE: readonly MessageToCheck[] = [];

/** Finds them, outermost first. Fields of types that cannot hold any are not looked into. */
export function messagesToCheck(schema: DescMessage, message: Message): Iterable<MessageToCheck> {
  const fields = fieldsOf(schema);
  if (fields.length === 0) return NONE;
  const reflected = reflect(schema, message);
  return fields.some((field) => reflected.isSet(field)) ? within(reflected, []) : NONE;
}

function* within(message: ReflectMessage, at: Path): Generator<MessageToCheck> {
  for (const field of fieldsOf(message.desc)) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === 'message') yield* found(message.get(field), [...at, field]);
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const [index, item] of [...message.get(field)].entries()) {
        yield* found(item as ReflectMessage, [...at, field, { kind: 'list_sub', index }]);
      }
    }
  }
}

function* found(inner: ReflectMessage, at: Path): Generator<MessageToCheck> {
  const { desc, message } = inner;
  if (isMessage(message, DurationSchema)) yield { kind: 'duration', ...message, at };
  else if (mayHoldAny(desc)) {
    if (reaches(desc, desc)) yield { kind: 'message', schema: desc, message, at };
    yield* within(inner, at);
  }
}

/** Those whose messages are to be looked at. */
function fieldsOf(schema: DescMessage): readonly DescField[] {
  const known = fieldsToLookInto.get(schema);
  if (known !== undefined) return known;
  const fields = schema.fields.filter(({ fieldKind, message }) => {
    if (message === undefined || fieldKind === 'map') return false;
    return message.typeName === DurationSchema.typeName || mayHoldAny(message);
  });
  fieldsToLookInto.set(schema, fields);
  return fields;
}

function mayHoldAny(schema: DescMessage): boolean {
  const known = kinds.get(schema);
  if (known !== undefined) return known;
  const types = reachable(schema);
  const result =
    types.has(DurationSchema.typeName) || [schema, ...types.values()].some((each) => reaches(each, each));
  kinds.set(schema, result);
  return result;
}

function reaches(from: DescMessage, to: DescMessage): boolean {
  return reachable(from).has(to.typeName);
}

/** The types of messages that a message can hold, at any depth, by name. */
function reachable(schema: DescMessage): ReadonlyMap<string, DescMessage> {
  const types = new Map<string, DescMessage>();
  function visit({ fields }: DescMessage): void {
    for (const { message } of fields) {
      if (message === undefined || types.has(message.typeName)) continue;
      types.set(message.typeName, message);
      visit(message);
    }
  }
  visit(schema);
  return types;
}
