// Whole profiles as texts.

import { DomainError } from '../errors.ts';
import { compareTexts } from '../text-order.ts';
import type { ConfigItem } from './config-item.ts';
import { isItemKey } from './config-keys.ts';
import type { ContentType, Documents, TransferEntry, TransferFormat } from './document.ts';
import type { Edit } from './plan-edit.ts';
import { placed, problemMetadata } from './schemas.ts';
import type { ShownItem } from './vault.ts';

/** What was exported. */
export interface Exported {
  readonly text: string;
  /** The keys of secrets that are left out. */
  readonly redactedKeys: readonly string[];
}

/** The most items that an import may hold. */
const MAX_ITEMS = 10_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Writes items as a text. Throws CONFIG_FORMAT_UNFIT where the format cannot hold one of them. */
export function exportItems(
  documents: Documents,
  format: TransferFormat,
  items: readonly ShownItem[],
): Exported {
  const entries = items.flatMap(({ key, value, contentType }): TransferEntry[] =>
    value === undefined ? [] : [{ key, contentType, value: textOf(key, value) }],
  );
  const written = documents.write(format, entries);
  if (written.kind === 'problem') {
    const { message, path } = written.problem;
    throw unfit(path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~'), message);
  }
  const redactedKeys = items.filter(({ value }) => value === undefined).map(({ key }) => key);
  return { text: written.text, redactedKeys };
}

/**
 * Returns what is to be written for a text. Throws CONFIG_TEXT_INVALID, or FIELD_INVALID for a key that cannot be one.
 *
 * @param isReplacing whether items that the text does not hold are deleted; secrets are not, for an export leaves them out.
 */
export function importEdits(
  documents: Documents,
  format: TransferFormat,
  text: string,
  items: ReadonlyMap<string, ConfigItem>,
  isReplacing: boolean,
): readonly Edit[] {
  const read = documents.read(format, text);
  if (read.kind === 'problem') throw textInvalid(placed(read.problem), problemMetadata(read.problem));
  const { entries } = read;
  if (entries.length > MAX_ITEMS) {
    const message = `holds ${entries.length} items, more than the ${MAX_ITEMS} that are taken`;
    throw textInvalid(message, problemMetadata({ message, path: '', line: 0 }));
  }
  const puts = entries.map(({ key, value, contentType }): Edit => {
    requireKey(key);
    const kept = keptType(documents, items.get(key), value) ?? contentType;
    return {
      kind: 'put',
      key,
      value: encoder.encode(value),
      contentType: kept,
      isSecret: undefined,
      expectedRevision: undefined,
    };
  });
  const inOrder = (edits: readonly Edit[]) => edits.toSorted((a, b) => compareTexts(a.key, b.key));
  if (!isReplacing) return inOrder(puts);
  const named = new Set(entries.map(({ key }) => key));
  const deletes = [...items.values()]
    .filter(({ key, isSecret }) => !named.has(key) && !isSecret)
    .map(({ key }): Edit => ({ kind: 'delete', key, expectedRevision: undefined }));
  return inOrder([...puts, ...deletes]);
}

/** The content type that an item has, where a value parses as that. */
function keptType(
  documents: Documents,
  item: ConfigItem | undefined,
  value: string,
): ContentType | undefined {
  if (item === undefined) return undefined;
  return documents.parse(item.contentType, value).kind === 'data' ? item.contentType : undefined;
}

/** A text may hold keys that the contract does not take. */
function requireKey(key: string): void {
  if (isItemKey(key)) return;
  const message = 'holds a key that is empty, longer than 1024 bytes, or has control characters';
  throw textInvalid(message, problemMetadata({ message, path: '', line: 0 }));
}

function textOf(key: string, value: Uint8Array): string {
  try {
    return decoder.decode(value);
  } catch {
    throw unfit(key, 'is not UTF-8');
  }
}

function unfit(key: string, description: string): DomainError {
  return new DomainError(
    'CONFIG_FORMAT_UNFIT',
    `The format cannot hold "${key}": it ${description}; choose another`,
    { key, description },
  );
}

function textInvalid(what: string, metadata: Readonly<Record<string, string>>): DomainError {
  return new DomainError('CONFIG_TEXT_INVALID', `The text to import ${what}; nothing was written`, metadata);
}
