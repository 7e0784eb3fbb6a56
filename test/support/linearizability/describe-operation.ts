import type { Operation } from './history.ts';

/** Longer ones are cut. */
const MAX_VALUE_CHARACTERS = 24;

/** Says in a line when an operation was under way, whose it was, and how it ended. */
export function describeOperation(operation: Operation): string {
  const { calledAt, returnedAt, client, key } = operation;
  const end = returnedAt === Number.POSITIVE_INFINITY ? '…' : returnedAt;
  return `${calledAt}–${end} client ${client}: ${requestOf(operation)} ${key} → ${outcomeOf(operation)}`;
}

function requestOf(operation: Operation): string {
  if (operation.kind !== 'put') return operation.kind;
  const { value, expectedRevision } = operation;
  const condition = expectedRevision === undefined ? '' : ` if at revision ${expectedRevision}`;
  return `put ${quote(value)}${condition} to`;
}

function outcomeOf({ outcome }: Operation): string {
  switch (outcome.kind) {
    case 'found': {
      const { value, modRevision, version, revision } = outcome;
      return `${quote(value)} of revision ${modRevision}, version ${version}, at revision ${revision}`;
    }
    case 'missing':
      return `no such key at revision ${outcome.revision}`;
    case 'written':
      return `revision ${outcome.revision}, version ${outcome.version}`;
    case 'mismatch':
      return `it is at revision ${outcome.actualRevision}`;
    case 'deleted':
      return outcome.didExist
        ? `deleted at revision ${outcome.revision}`
        : `no such key at revision ${outcome.revision}`;
    case 'unknown':
      return 'unknown';
  }
}

function quote(value: string): string {
  return value.length > MAX_VALUE_CHARACTERS ? `"${value.slice(0, MAX_VALUE_CHARACTERS)}…"` : `"${value}"`;
}
