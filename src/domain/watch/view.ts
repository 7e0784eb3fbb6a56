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
  return new ChosenView(options);
}

/** As there may be one for each subscriber, it holds what was chosen and nothing more. */
class ChosenView implements View {
  readonly range: KeyRange;
  readonly id: string;
  readonly #changes: 'all' | 'puts' | 'deletes';
  readonly #keysOnly: boolean;
  readonly #changedOnly: boolean;
  readonly #returnPrevious: boolean;
  readonly #matchesGlob: ((key: string) => boolean) | undefined;

  constructor({ range, glob, ...options }: ViewOptions) {
    const { changes = 'all', keysOnly = false, changedOnly = false, returnPrevious = false } = options;
    this.range = range;
    this.#changes = changes;
    this.#keysOnly = keysOnly;
    this.#changedOnly = changedOnly;
    this.#returnPrevious = returnPrevious;
    this.#matchesGlob = glob === undefined ? undefined : compileGlob(glob);
    const flags = [keysOnly, changedOnly, returnPrevious].map(Number);
    this.id = [rangeId(range), changes, ...flags, glob ?? ''].join(' ');
  }

  select(changes: readonly Change[]): readonly Change[] | undefined {
    const selected = changes.filter((change) => this.#isSelected(change));
    return selected.length === 0 ? undefined : selected.map((change) => this.#shown(change));
  }

  selectKeys(kvs: readonly KeyValue[]): readonly KeyValue[] {
    const selected = this.#matchesGlob === undefined ? kvs : kvs.filter(({ key }) => this.#isNamed(key));
    return this.#keysOnly ? selected.map(withoutValue) : selected;
  }

  #isSelected(change: Change): boolean {
    if (!contains(this.range, change.kv.key)) return false;
    if (this.#changes !== 'all' && isPut(change) !== (this.#changes === 'puts')) return false;
    if (this.#changedOnly && isUnchanged(change)) return false;
    return this.#isNamed(change.kv.key);
  }

  #isNamed(key: Uint8Array): boolean {
    return this.#matchesGlob?.(decoder.decode(key)) ?? true;
  }

  #shown(change: Change): Change {
    const [keysOnly, returnPrevious] = [this.#keysOnly, this.#returnPrevious];
    if (!keysOnly && returnPrevious) return change;
    const previous = returnPrevious ? change.previous && withoutValue(change.previous) : undefined;
    return { type: change.type, kv: keysOnly ? withoutValue(change.kv) : change.kv, previous };
  }
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
