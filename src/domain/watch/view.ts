// What one subscriber wants to see of the changes in a range. Subscribers with equal views share what is made for them.

import { compareKeys, contains, type KeyRange, keyId } from '../key-range.ts';
import type { KeyValue } from '../store.ts';
import { type Change, isPut } from './change.ts';
import { compileGlob } from './glob.ts';

/** A subscriber's choice. */
export interface ViewOptions {
  readonly range: KeyRange;
  /** @default 'all' */
  readonly changes?: 'all' | 'puts' | 'deletes';
  /** @default every key */
  readonly glob?: string | undefined;
  /** Whether values are left out. @default false */
  readonly keysOnly?: boolean;
  /** Whether a write of the value that the key already had is left out. @default false */
  readonly changedOnly?: boolean;
  /** Whether changes say what the key held before. @default false */
  readonly returnPrevious?: boolean;
}

/** A choice, ready to use. */
export interface View {
  readonly range: KeyRange;
  /** Equal for equal choices. */
  readonly id: string;
  /** Returns the changes that the subscriber sees, as it sees them; undefined where it sees none. */
  select(changes: readonly Change[]): readonly Change[] | undefined;
  /** Returns the keys of a snapshot that the subscriber sees, as it sees them. */
  selectKeys(kvs: readonly KeyValue[]): readonly KeyValue[];
}

const NO_BYTES = new Uint8Array();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Creates the view for a choice. */
export function createView(options: ViewOptions): View {
  const {
    range,
    changes: wanted = 'all',
    glob,
    keysOnly = false,
    changedOnly = false,
    returnPrevious = false,
  } = options;
  const matchesGlob = glob === undefined ? undefined : compileGlob(glob);

  function isSelected(change: Change): boolean {
    if (!contains(range, change.kv.key)) return false;
    if (wanted !== 'all' && isPut(change) !== (wanted === 'puts')) return false;
    if (changedOnly && isUnchanged(change)) return false;
    return matchesGlob?.(decoder.decode(change.kv.key)) ?? true;
  }

  function shown(change: Change): Change {
    if (!keysOnly && returnPrevious) return change;
    const previous = returnPrevious ? change.previous && withoutValue(change.previous) : undefined;
    return { type: change.type, kv: keysOnly ? withoutValue(change.kv) : change.kv, previous };
  }

  return {
    range,
    id: [
      rangeId(range),
      wanted,
      Number(keysOnly),
      Number(changedOnly),
      Number(returnPrevious),
      glob ?? '',
    ].join(' '),
    select(changes) {
      const selected = changes.filter(isSelected);
      return selected.length === 0 ? undefined : selected.map(shown);
    },
    selectKeys(kvs) {
      const selected =
        matchesGlob === undefined ? kvs : kvs.filter(({ key }) => matchesGlob(decoder.decode(key)));
      return keysOnly ? selected.map(withoutValue) : selected;
    },
  };
}

function isUnchanged({ kv, previous, type }: Change): boolean {
  return type === 'updated' && previous !== undefined && compareKeys(kv.value, previous.value) === 0;
}

function withoutValue(kv: KeyValue): KeyValue {
  return { ...kv, value: NO_BYTES };
}

function rangeId(range: KeyRange): string {
  const keys = range.kind === 'key' ? [range.key] : [range.start, range.end];
  return JSON.stringify(keys.map((key) => key && keyId(key)));
}
