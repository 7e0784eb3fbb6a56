import type { Operation, Seen } from './history.ts';

/**
 * Tells what became of writes of unknown outcome whose values were read: they happened, with the revision and the version that the
 * reads show, and before the first of these returned. Only where one write of the history alone has that value. The history is that
 * of one key.
 */
export function settleSeenWrites(history: readonly Operation[]): readonly Operation[] {
  const reads = new Map<string, { readonly seen: Seen & { kind: 'found' }; readonly returnedAt: number }>();
  const writes = new Map<string, number>();
  for (const operation of history) {
    const { kind, outcome, returnedAt } = operation;
    if (kind === 'put') writes.set(operation.value, (writes.get(operation.value) ?? 0) + 1);
    if (outcome.kind !== 'found') continue;
    const first = reads.get(outcome.value);
    if (first === undefined || returnedAt < first.returnedAt) {
      reads.set(outcome.value, { seen: outcome, returnedAt });
    }
  }
  return history.map((operation) => {
    if (operation.kind !== 'put' || operation.outcome.kind !== 'unknown') return operation;
    const read = reads.get(operation.value);
    if (read === undefined || writes.get(operation.value) !== 1) return operation;
    const { modRevision: revision, version } = read.seen;
    return { ...operation, outcome: { kind: 'written', revision, version }, returnedAt: read.returnedAt };
  });
}
