// Page tokens: where a listing goes on, tied to the request that began it.

import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type ListCursor, pageTokenInvalid } from '../../domain/reading/list.ts';
import { seal, unseal } from '../fields/sealed-text.ts';

/** Where a listing goes on. */
export interface PagePosition {
  readonly revision: bigint;
  readonly totalSize: bigint;
  readonly key: Uint8Array;
}

const MAX_INT64 = 2n ** 63n - 1n;
const LAYOUT = /^(\d{1,19}) (\d{1,19}) ([A-Za-z0-9_-]*)$/;

/** Returns the token. `binding` is the request, less what may differ from page to page. */
export function writePageToken({ revision, totalSize, key }: PagePosition, binding: Uint8Array): string {
  return seal(`${revision} ${totalSize} ${Buffer.from(key).toString('base64url')}`, binding);
}

/** Returns what a token says, or undefined for the first page. Throws PAGE_TOKEN_INVALID where `binding` did not make it. */
export function readPageToken(token: string, binding: Uint8Array): PagePosition | undefined {
  if (token === '') return undefined;
  const fields = LAYOUT.exec(unseal(token, binding) ?? '');
  if (fields === null) throw pageTokenInvalid();
  const [, revision = '', totalSize = '', key = ''] = fields;
  const position = {
    revision: BigInt(revision),
    totalSize: BigInt(totalSize),
    key: Buffer.from(key, 'base64url'),
  };
  if (position.revision > MAX_INT64 || position.totalSize > MAX_INT64) throw pageTokenInvalid();
  return position;
}

/** Returns where a listing goes on. */
export function cursorOf(position: PagePosition | undefined): ListCursor | undefined {
  return position && { revision: position.revision, totalSize: position.totalSize, after: position.key };
}

/** Returns what a page token is tied to: the whole request, less the page's size and the token itself. */
export function pageBinding<Schema extends DescMessage>(
  schema: Schema,
  request: MessageShape<Schema> & { readonly pageSize: number; readonly pageToken: string },
): Uint8Array {
  return Buffer.concat([
    Buffer.from(schema.typeName),
    toBinary(schema, { ...request, pageSize: 0, pageToken: '' }),
  ]);
}
