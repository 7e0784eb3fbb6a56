import type { Entry } from './entries.ts';

/** Throws unless a read gave the entry asked for. */
export function expectAnswer(entry: Entry | undefined, key: unknown, value: unknown): void {
  if (entry !== undefined && key === entry.key && value === entry.value) return;
  throw new Error(`asked for ${entry?.key} and got ${String(key)}, or another value than was written`);
}

/** Throws unless a write names the revision it was done at. */
export function expectWritten(revision: unknown): void {
  const isRevision = (typeof revision === 'string' || typeof revision === 'bigint') && BigInt(revision) > 0n;
  if (!isRevision) throw new Error(`a write came back with revision ${String(revision)}`);
}

/** Reads an answer as a JSON object. */
export function parseObject(answer: Buffer): unknown {
  return JSON.parse(answer.toString());
}

/** What stands under nested names in parsed JSON, or undefined. */
export function readPath(parsed: unknown, ...names: readonly string[]): unknown {
  let found = parsed;
  for (const name of names) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Reflect.get(found, name);
  }
  return found;
}
