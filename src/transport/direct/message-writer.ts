// Messages as bytes, the same that the library's toBinary gives. That makes a writer for each message, and the memory which the
// writer grows into costs several times what the writing does; here one writer is used again and again.

import { type DescField, type DescMessage, type Message, ScalarType, toBinary } from '@bufbuild/protobuf';
import { scalarZeroValue } from '@bufbuild/protobuf/reflect';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Edition, FeatureSet_FieldPresence, isWrapperDesc } from '@bufbuild/protobuf/wkt';

/** A writer that has written more than this at once is not used again, in bytes. */
const MAX_KEPT_BYTES = 256 * 1024;

type Write = (writer: BinaryWriter, value: unknown) => void;
type Fields = Readonly<Record<string, unknown>>;

/** Writes messages of any type; those of types that it does not know itself (floats, groups, proto2 and the like) by the library. */
export class MessageWriter {
  readonly #writes = new WeakMap<DescMessage, Write>();
  #writer: BinaryWriter | undefined;

  /** Returns a message as bytes. Throws what the library says of a message that cannot be written. */
  write(schema: DescMessage, message: Message): Uint8Array {
    const writer = this.#writer ?? new BinaryWriter();
    this.#writer = undefined;
    try {
      this.#writeOf(schema)(writer, message);
    } catch {
      return toBinary(schema, message);
    }
    const bytes = writer.finish();
    if (bytes.length <= MAX_KEPT_BYTES) this.#writer = writer;
    return bytes;
  }

  #writeOf(schema: DescMessage): Write {
    const known = this.#writes.get(schema);
    if (known !== undefined) return known;
    const write = this.#compile(schema);
    this.#writes.set(schema, write);
    return write;
  }

  #compile(schema: DescMessage): Write {
    const byNumber = schema.fields.toSorted((a, b) => a.number - b.number);
    const fields = byNumber.map((field) => this.#field(field));
    const known = fields.filter((write) => write !== undefined);
    if (schema.file.edition !== Edition.EDITION_PROTO3 || known.length < fields.length) {
      return (writer, message) => writer.raw(toBinary(schema, message as Message));
    }
    return (writer, message) => {
      const { $typeName, $unknown } = message as Message;
      if ($typeName !== schema.typeName) throw new TypeError(`${$typeName} is not ${schema.typeName}`);
      for (const write of known) write(writer, message);
      if ($unknown === undefined) return;
      for (const { no, wireType, data } of $unknown) writer.tag(no, wireType).raw(data);
    };
  }

  /** Returns what writes a field of a message, where it is set; undefined: only the library can. */
  #field(field: DescField): Write | undefined {
    const { localName, oneof } = field;
    const write = this.#values(field);
    if (write === undefined) return undefined;
    if (oneof !== undefined) {
      return (writer, message) => {
        const chosen = (message as Fields)[oneof.localName] as {
          readonly case?: string;
          readonly value?: unknown;
        };
        if (chosen.case === localName) write(writer, chosen.value);
      };
    }
    if (field.presence !== FeatureSet_FieldPresence.IMPLICIT || !isScalar(field)) {
      return (writer, message) => {
        const value = (message as Fields)[localName];
        if (value !== undefined) write(writer, value);
      };
    }
    const zero = field.fieldKind === 'enum' ? 0 : scalarZeroValue(field.scalar, false);
    return (writer, message) => {
      const value = (message as Fields)[localName];
      if (value !== zero && !isEmpty(value)) write(writer, value);
    };
  }

  #values(field: DescField): Write | undefined {
    const { number } = field;
    switch (field.fieldKind) {
      case 'message':
        return this.#message(number, field.message);
      case 'scalar':
        return tagged(number, field.scalar);
      case 'enum':
        return tagged(number, ScalarType.INT32);
      case 'map':
        return this.#entries(field);
      case 'list':
        return this.#items(field);
    }
  }

  #message(number: number, schema: DescMessage): Write | undefined {
    // Those are something else than messages where they are fields.
    if (schema.typeName === 'google.protobuf.Struct' || isWrapperDesc(schema)) return undefined;
    return (writer, message) => {
      writer.tag(number, WireType.LengthDelimited).fork();
      this.#writeOf(schema)(writer, message);
      writer.join();
    };
  }

  #items(field: DescField & { readonly fieldKind: 'list' }): Write | undefined {
    const { number } = field;
    if (field.listKind !== 'message' && field.packed) return packed(number, field.scalar ?? ScalarType.INT32);
    const write =
      field.listKind === 'message'
        ? this.#message(number, field.message)
        : tagged(number, field.scalar ?? ScalarType.INT32);
    if (write === undefined) return undefined;
    return (writer, items) => {
      for (const item of items as readonly unknown[]) write(writer, item);
    };
  }

  #entries(field: DescField & { readonly fieldKind: 'map' }): Write | undefined {
    const writeKey = field.mapKey === ScalarType.STRING ? tagged(1, field.mapKey) : undefined;
    const writeValue =
      field.mapKind === 'message'
        ? this.#message(2, field.message)
        : tagged(2, field.scalar ?? ScalarType.INT32);
    if (writeKey === undefined || writeValue === undefined) return undefined;
    return (writer, entries) => {
      for (const [key, value] of Object.entries(entries as Fields)) {
        writer.tag(field.number, WireType.LengthDelimited).fork();
        writeKey(writer, key);
        writeValue(writer, value);
        writer.join();
      }
    };
  }
}

/** The types of the contracts' fields. */
const SCALARS: ReadonlyMap<ScalarType, { readonly wireType: WireType; readonly write: Write }> = new Map([
  [ScalarType.STRING, { wireType: WireType.LengthDelimited, write: (w, v) => w.string(v as string) }],
  [ScalarType.BYTES, { wireType: WireType.LengthDelimited, write: (w, v) => w.bytes(v as Uint8Array) }],
  [ScalarType.BOOL, { wireType: WireType.Varint, write: (w, v) => w.bool(v as boolean) }],
  [ScalarType.INT32, { wireType: WireType.Varint, write: (w, v) => w.int32(v as number) }],
  [ScalarType.INT64, { wireType: WireType.Varint, write: (w, v) => w.int64(v as bigint) }],
]);

function tagged(number: number, type: ScalarType): Write | undefined {
  const scalar = SCALARS.get(type);
  if (scalar === undefined) return undefined;
  const { wireType, write } = scalar;
  return (writer, value) => {
    writer.tag(number, wireType);
    write(writer, value);
  };
}

function packed(number: number, type: ScalarType): Write | undefined {
  const write = SCALARS.get(type)?.write;
  if (write === undefined) return undefined;
  return (writer, items) => {
    if ((items as readonly unknown[]).length === 0) return;
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const item of items as readonly unknown[]) write(writer, item);
    writer.join();
  };
}

type ScalarField = DescField & { readonly fieldKind: 'scalar' | 'enum' };

function isScalar(field: DescField): field is ScalarField {
  return field.fieldKind === 'scalar' || field.fieldKind === 'enum';
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && (value as Uint8Array).byteLength === 0;
}
