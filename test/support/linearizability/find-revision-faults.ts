import { describeOperation } from './describe-operation.ts';
import { type Operation, revisionOf } from './history.ts';

/**
 * Holds the revisions of a history, of all keys, against real time: what is called after another call has returned is told no lower
 * revision, and a write a higher one. Returns what breaks this, in words.
 */
export function findRevisionFaults(history: readonly Operation[]): readonly string[] {
  const returned = history
    .filter((operation) => revisionOf(operation) !== undefined)
    .toSorted((a, b) => a.returnedAt - b.returnedAt);
  const faults: string[] = [];
  let newest: { readonly revision: bigint; readonly operation: Operation } | undefined;
  let next = 0;
  for (const operation of history.toSorted((a, b) => a.calledAt - b.calledAt)) {
    for (; ; next++) {
      const before = returned[next];
      if (before === undefined || before.returnedAt >= operation.calledAt) break;
      const revision = revisionOf(before) ?? 0n;
      if (newest === undefined || revision > newest.revision) newest = { revision, operation: before };
    }
    const revision = revisionOf(operation);
    if (revision === undefined || newest === undefined || revision > newest.revision) continue;
    if (revision === newest.revision && !hasWritten(operation)) continue;
    faults.push(
      `revision ${newest.revision} came before ${revision}: ${describeOperation(newest.operation)}; ${describeOperation(operation)}`,
    );
  }
  return faults;
}

function hasWritten({ outcome }: Operation): boolean {
  return outcome.kind === 'written' || (outcome.kind === 'deleted' && outcome.didExist);
}
