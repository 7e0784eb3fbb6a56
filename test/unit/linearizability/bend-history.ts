import { type Operation, revisionOf } from '../../support/linearizability/history.ts';

/** Changes one thing of one operation, as `choice` says, which may do no harm. */
export function bendHistory(history: readonly Operation[], choice: number): readonly Operation[] {
  const index = choice % Math.max(history.length, 1);
  const operation = history[index];
  const other = history[Math.floor(choice / 16) % Math.max(history.length, 1)];
  if (operation === undefined || other === undefined) return history;
  const change = BigInt(Math.floor(choice / 256) % 3) - 1n;
  return history.with(index, bendOperation(operation, other, change));
}

function bendOperation(operation: Operation, other: Operation, change: bigint): Operation {
  if (operation.kind === 'get') {
    const { outcome } = operation;
    if (other.kind === 'get') return { ...operation, outcome: other.outcome };
    if (outcome.kind === 'missing')
      return { ...operation, outcome: { ...outcome, revision: outcome.revision + change } };
    if (other.kind === 'put') return { ...operation, outcome: { ...outcome, value: other.value } };
    return { ...operation, outcome: { ...outcome, modRevision: outcome.modRevision + change } };
  }
  if (operation.kind === 'delete' || operation.outcome.kind === 'unknown')
    return { ...operation, key: operation.key };
  const { outcome } = operation;
  if (outcome.kind === 'mismatch') {
    return { ...operation, outcome: { ...outcome, actualRevision: revisionOf(other) ?? 0n } };
  }
  if (other.kind === 'put' && change === 0n) return { ...operation, value: other.value };
  return { ...operation, outcome: { ...outcome, revision: outcome.revision + change } };
}
