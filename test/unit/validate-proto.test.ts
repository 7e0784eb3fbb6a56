import { type DescFile, type DescMessage, getOption, hasOption, type Message } from '@bufbuild/protobuf';
import { nestedTypes, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import * as original from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js';
import { describe, expect, it } from 'vitest';
import { file_buf_validate_validate as copy } from '../../gen/buf/validate/validate_pb.ts';
import { file_concord_kv_v1_kv_service } from '../../gen/concord/kv/v1/kv_service_pb.ts';

describe('proto/buf/validate/validate.proto, a part of the original', () => {
  const originals = shapesOf(original.file_buf_validate_validate);
  const copies = shapesOf(copy);

  it('has the name and package of the original, so that every runtime finds its rules', () => {
    const { name, proto } = original.file_buf_validate_validate;
    expect({ name: copy.name, package: copy.proto.package, syntax: copy.proto.syntax }).toEqual({
      name,
      package: proto.package,
      syntax: proto.syntax,
    });
  });

  it('has no message, field or extension that differs from the original', () => {
    expect(copies.size).toBeGreaterThan(40);
    for (const [name, shape] of copies) expect(shape, name).toEqual(originals.get(name));
  });

  it('has all of what an error carries', () => {
    const sent = /^buf\.validate\.(Violations|Violation|FieldPath|FieldPathElement)(\.|$)/;
    const names = [...originals.keys()].filter((name) => sent.test(name));
    expect(names.length).toBeGreaterThan(15);
    expect([...copies.keys()]).toEqual(expect.arrayContaining(names));
  });

  it('writes rules into the contract that the original reads without rest', () => {
    const rules = contractMessages().flatMap(rulesOf);
    expect(rules.length).toBeGreaterThan(100);
    for (const { schema, message } of rules) expect(unknownIn(reflect(schema, message))).toEqual([]);
  });
});

/** What must be the same of every message, field and extension: its shape by its full name. */
function shapesOf(file: DescFile): ReadonlyMap<string, object> {
  const shapes = new Map<string, object>();
  for (const type of nestedTypes(file)) {
    if (type.kind === 'extension') {
      const { number, extendee, message } = type;
      shapes.set(type.typeName, { number, extendee: extendee.typeName, message: message?.typeName });
    }
    if (type.kind !== 'message') continue;
    shapes.set(type.typeName, {});
    for (const field of type.fields) {
      const { number, label, type: fieldType, typeName, options } = field.proto;
      const oneof = field.oneof?.name;
      const shape = { number, label, fieldType, typeName, oneof, packed: options?.packed ?? false };
      shapes.set(`${type.typeName}.${field.name}`, shape);
    }
  }
  return shapes;
}

function contractMessages(): readonly DescMessage[] {
  const files = [file_concord_kv_v1_kv_service, ...file_concord_kv_v1_kv_service.dependencies];
  return files
    .filter(({ name }) => name.startsWith('concord/'))
    .flatMap((file) => [...nestedTypes(file)].filter((type) => type.kind === 'message'));
}

interface Rules {
  readonly schema: DescMessage;
  readonly message: Message;
}

/** The rules that a message, its oneofs and its fields have, as the original reads them. */
function rulesOf(desc: DescMessage): readonly Rules[] {
  const rules: Rules[] = [];
  if (hasOption(desc, original.message)) {
    rules.push({ schema: original.MessageRulesSchema, message: getOption(desc, original.message) });
  }
  for (const oneof of desc.oneofs) {
    if (!hasOption(oneof, original.oneof)) continue;
    rules.push({ schema: original.OneofRulesSchema, message: getOption(oneof, original.oneof) });
  }
  for (const field of desc.fields) {
    if (!hasOption(field, original.field)) continue;
    rules.push({ schema: original.FieldRulesSchema, message: getOption(field, original.field) });
  }
  return rules;
}

/** The names of messages that hold fields which their descriptor does not know. */
function unknownIn(message: ReflectMessage): readonly string[] {
  const inner = message.fields.flatMap((field) => {
    if (!message.isSet(field)) return [];
    if (field.fieldKind === 'message') return unknownIn(message.get(field));
    if (field.fieldKind !== 'list' || field.listKind !== 'message') return [];
    return [...message.get(field)].flatMap((item) => unknownIn(item as ReflectMessage));
  });
  return message.getUnknown()?.length ? [message.desc.typeName, ...inner] : inner;
}
