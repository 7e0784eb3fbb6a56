// Values as documents: the formats they are written in, and the schemas they must keep to.
// Src/documents implements the port.

/** What a value is written as. */
export type ContentType = 'text' | 'json' | 'yaml' | 'toml' | 'properties' | 'number' | 'boolean';

/** What a whole application is exported as, and imported from. */
export type TransferFormat = 'json' | 'yaml' | 'properties' | 'dotenv';

/** What is wrong with a text, and where. It never quotes what the text holds: it may be secret. */
export interface Problem {
  /** As the end of a sentence about the text, such as `must be a number`. */
  readonly message: string;
  /** Which part is meant: a JSON Pointer (RFC 6901) such as `/server/port`; empty: the whole, or it is not known. */
  readonly path: string;
  /** From 1; 0: it is not known. */
  readonly line: number;
}

/** What a text holds: what JSON can hold. */
export type Parsed =
  | { readonly kind: 'data'; readonly data: unknown }
  | { readonly kind: 'problem'; readonly problem: Problem };

/** One value of a text that is exported or imported. */
export interface TransferEntry {
  readonly key: string;
  readonly value: string;
  readonly contentType: ContentType;
}

/** What a text that is imported holds. */
export type Imported =
  | { readonly kind: 'entries'; readonly entries: readonly TransferEntry[] }
  | { readonly kind: 'problem'; readonly problem: Problem };

/** Reads and checks documents. Nothing here throws because of what a text holds, or takes longer than two seconds. */
export interface Documents {
  /** Reads a value as what it is said to be. */
  parse(contentType: ContentType, text: string): Parsed;
  /** Returns what is wrong with a text as a JSON Schema (draft 2020-12 where it does not say); undefined: nothing. */
  schemaProblem(schema: string): Problem | undefined;
  /** Returns where a value breaks a schema that has no problem: at most 20 places. A value that does not parse is one. */
  violations(schema: string, contentType: ContentType, text: string): readonly Problem[];
  /** Writes entries, in the order of their keys. Returns a problem where the format cannot hold one of them. */
  write(
    format: TransferFormat,
    entries: readonly TransferEntry[],
  ):
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'problem'; readonly problem: Problem };
  /** Reads entries, in the order of the text. */
  read(format: TransferFormat, text: string): Imported;
}
