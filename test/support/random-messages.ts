import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import fc from 'fast-check';

/** Fields of fields are made down to this depth. */
const MAX_DEPTH = 4;
const MAX_FIELDS = 4;
const MAX_ITEMS = 3;

const TEXTS = [
  '',
  '/',
  'fuzz/a',
  'fuzz/',
  'ключ',
  '\u0000',
  '\u{10ffff}',
  'x'.repeat(4_096),
  'x'.repeat(4_097),
];
const INT64S = [
  '0',
  '1',
  '-1',
  '2',
  '1000',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
];
const INT32S = [0, 1, -1, 2, 1_000, 1_001, 2 ** 31 - 1, -(2 ** 31)];
const DURATIONS = [
  '0s',
  '1s',
  '60s',
  '-1s',
  '0.000000001s',
  '9000000000s',
  '9000000001s',
  '315576000000s',
  '-315576000000s',
];
const TIMESTAMPS = ['1970-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999999Z'];
const UNKNOWN_ENUM_NUMBERS = [99, -1, 2 ** 31 - 1];

/** Returns messages as JSON, made from their descriptor, with the extremes of every type: some are valid, many are not. */
export function randomJson(desc: DescMessage, depth = 0): fc.Arbitrary<JsonObject> {
  const isLeaf = depth >= MAX_DEPTH;
  const fields = desc.fields.filter(
    (field) => !(isLeaf && field.message !== undefined && textsOf(field.message) === undefined),
  );
  return fc
    .shuffledSubarray([...fields], { maxLength: Math.min(MAX_FIELDS, fields.length) })
    .chain((chosen) =>
      fc.record(
        // Of a oneof the last one chosen is meant: JSON takes no two.
        Object.fromEntries(onePerOneof(chosen).map((field) => [field.jsonName, randomField(field, depth)])),
      ),
    );
}

/** Returns the bytes of messages as {@link randomJson} makes them. */
export function randomBinary(desc: DescMessage): fc.Arbitrary<Uint8Array> {
  return randomJson(desc).map((json) => toBinary(desc, fromJson(desc, json)));
}

/** Returns JSON whose values have little to do with what the fields take. */
export function wildJson(desc: DescMessage): fc.Arbitrary<JsonValue> {
  const names = [...desc.fields.flatMap(({ name, jsonName }) => [name, jsonName]), '__proto__', '@type', ''];
  const value = fc.jsonValue({ maxDepth: 3 }).map((wild) => JSON.parse(JSON.stringify(wild)) as JsonValue);
  return fc.oneof(value, fc.dictionary(fc.constantFrom(...names), value, { maxKeys: MAX_FIELDS }));
}

/** Returns `bytes`, changed in some places: flipped, cut, doubled, filled in. */
export function mutated(bytes: Uint8Array): fc.Arbitrary<Buffer> {
  const change = fc.record({
    kind: fc.constantFrom('set', 'insert', 'remove', 'double', 'cut'),
    at: fc.nat({ max: Math.max(0, bytes.length - 1) }),
    length: fc.integer({ min: 1, max: 8 }),
    byte: fc.oneof(
      fc.constantFrom(0x00, 0x7f, 0x80, 0xff, 0x22, 0x7b, 0x7d),
      fc.integer({ min: 0, max: 255 }),
    ),
  });
  return fc.array(change, { minLength: 1, maxLength: 5 }).map((changes) => {
    let result = Buffer.from(bytes);
    for (const { kind, at, length, byte } of changes) {
      const head = result.subarray(0, at);
      switch (kind) {
        case 'set':
          result = Buffer.concat([head, Buffer.of(byte), result.subarray(at + 1)]);
          break;
        case 'insert':
          result = Buffer.concat([head, Buffer.alloc(length, byte), result.subarray(at)]);
          break;
        case 'remove':
          result = Buffer.concat([head, result.subarray(at + length)]);
          break;
        case 'double':
          result = Buffer.concat([head, result.subarray(at, at + length), result.subarray(at)]);
          break;
        case 'cut':
          result = Buffer.from(head);
      }
    }
    return result;
  });
}

function onePerOneof(fields: readonly DescField[]): readonly DescField[] {
  return fields.filter(
    ({ oneof }, i) => oneof === undefined || !fields.slice(i + 1).some((later) => later.oneof === oneof),
  );
}

function randomField(field: DescField, depth: number): fc.Arbitrary<JsonValue> {
  switch (field.fieldKind) {
    case 'list':
      return fc.array(randomItem(field, depth), { maxLength: MAX_ITEMS });
    case 'map':
      return fc.constant({});
    default:
      return randomItem(field, depth);
  }
}

function randomItem(
  { message, enum: enumeration, scalar }: DescField,
  depth: number,
): fc.Arbitrary<JsonValue> {
  if (message !== undefined) {
    const texts = textsOf(message);
    return texts === undefined ? randomJson(message, depth + 1) : fc.constantFrom(...texts);
  }
  if (enumeration !== undefined) {
    return fc.constantFrom(...enumeration.values.map(({ number }) => number), ...UNKNOWN_ENUM_NUMBERS);
  }
  switch (scalar) {
    case ScalarType.STRING:
      return fc.oneof(fc.constantFrom(...TEXTS), fc.string({ unit: 'binary', maxLength: 20 }));
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.INT32:
      return fc.constantFrom(...INT32S);
    case ScalarType.INT64:
      return fc.constantFrom(...INT64S);
    default:
      throw new Error(`add values for the scalar type ${scalar}`);
  }
}

/** The messages that are texts in JSON. */
function textsOf({ typeName }: DescMessage): readonly string[] | undefined {
  switch (typeName) {
    case 'google.protobuf.Duration':
      return DURATIONS;
    case 'google.protobuf.Timestamp':
      return TIMESTAMPS;
    default:
      return undefined;
  }
}
