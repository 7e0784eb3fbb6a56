// The parts of an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1) that are written here.

/** A JSON Schema (draft 2020-12). */
export type Schema = { readonly [keyword: string]: unknown };

/** A Parameter Object. */
export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly required?: true;
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** A Media Type Object. */
export interface MediaType {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

/** A Request Body Object or a Response Object. */
export interface Content {
  readonly description: string;
  readonly required?: true;
  readonly content: Readonly<Record<string, MediaType>>;
}

/** An Operation Object. */
export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content | { readonly $ref: string }>>;
  /** The rpc that it calls, such as `/concord.kv.v1.KvService/Get`. */
  readonly 'x-concord-rpc': string;
  /**
   * Fields of the example whose values come from the answer of an earlier operation of the document: by their names,
   * `LockService_Acquire#/fencingToken`.
   */
  readonly 'x-concord-takes'?: Readonly<Record<string, string>>;
}

/** An operation and where it stands. */
export interface PlacedOperation {
  /** Such as `/v1/kv/{key}`. */
  readonly path: string;
  readonly httpMethod: string;
  readonly operation: Operation;
}

/** A Tag Object. */
export interface Tag {
  readonly name: string;
  readonly description: string;
}
