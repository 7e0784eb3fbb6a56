// The sequential register: one key of etcd, as it would be if one call came after the other.

import { type Call, revisionOf } from './history.ts';

/** A register between two calls. */
export interface Register {
  /** Undefined: the key does not exist. */
  readonly value: string | undefined;
  /** How often it was written since its creation; 0n: it does not exist. */
  readonly version: bigint;
  /** Of its last change, 0n: it does not exist. Undefined where that was a write whose outcome nobody was told, until a call sees it. */
  readonly modRevision: bigint | undefined;
  /** The store's revision is at least this. */
  readonly leastRevision: bigint;
}

/** A key that was never written. */
export const NEW_REGISTER: Register = { value: undefined, version: 0n, modRevision: 0n, leastRevision: 0n };

/**
 * Returns the register after a call, itself where that changed nothing; undefined where the call cannot have had that outcome.
 *
 * A call of unknown outcome did happen here. One without an effect is never given: it may as well not have happened.
 */
export function applyCall(register: Register, call: Call): Register | undefined {
  switch (call.kind) {
    case 'get':
      return applyGet(register, call);
    case 'put':
      return applyPut(register, call);
    case 'delete':
      return applyDelete(register, call);
  }
}

/** Whether a call cannot have had its outcome after this any more, whatever else happens before it: it tells of a time that is over. */
export function isTooLate({ modRevision, leastRevision }: Register, call: Call): boolean {
  const { outcome } = call;
  const at = revisionOf(call);
  if (at !== undefined && at < leastRevision) return true;
  const seen =
    outcome.kind === 'found'
      ? outcome.modRevision
      : outcome.kind === 'mismatch'
        ? outcome.actualRevision
        : undefined;
  // 0: it did not exist, which may happen again.
  return seen !== undefined && seen !== 0n && seen < leastRevision && seen !== modRevision;
}

function applyGet(register: Register, { outcome }: Call & { kind: 'get' }): Register | undefined {
  if (outcome.kind === 'missing') {
    return register.value === undefined ? atRevision(register, outcome.revision) : undefined;
  }
  const seen = lastChangedAt(register, outcome.modRevision);
  if (seen?.value !== outcome.value || seen.version !== outcome.version) return undefined;
  return atRevision(seen, outcome.revision);
}

function applyPut(register: Register, call: Call & { kind: 'put' }): Register | undefined {
  const { value, expectedRevision, outcome } = call;
  if (outcome.kind === 'mismatch') {
    return outcome.actualRevision === expectedRevision
      ? undefined
      : lastChangedAt(register, outcome.actualRevision);
  }
  const before = expectedRevision === undefined ? register : lastChangedAt(register, expectedRevision);
  if (before === undefined) return undefined;
  const version = before.version + 1n;
  if (outcome.kind === 'unknown') {
    return { value, version, modRevision: undefined, leastRevision: before.leastRevision + 1n };
  }
  const { revision } = outcome;
  return revision > before.leastRevision && outcome.version === version
    ? { value, version, modRevision: revision, leastRevision: revision }
    : undefined;
}

function applyDelete(register: Register, { outcome }: Call & { kind: 'delete' }): Register | undefined {
  const exists = register.value !== undefined;
  if (outcome.kind === 'unknown') {
    return exists ? { ...NEW_REGISTER, leastRevision: register.leastRevision + 1n } : undefined;
  }
  const { didExist, revision } = outcome;
  if (didExist !== exists) return undefined;
  if (!didExist) return atRevision(register, revision);
  return revision > register.leastRevision ? { ...NEW_REGISTER, leastRevision: revision } : undefined;
}

/** The register, where its last change can have been at that revision. */
function lastChangedAt(register: Register, revision: bigint): Register | undefined {
  if (register.modRevision !== undefined) return register.modRevision === revision ? register : undefined;
  if (revision < register.leastRevision) return undefined;
  return { ...register, modRevision: revision, leastRevision: revision };
}

/** The register, where the store can be at that revision. */
function atRevision(register: Register, revision: bigint): Register | undefined {
  if (revision === register.leastRevision) return register;
  return revision < register.leastRevision ? undefined : { ...register, leastRevision: revision };
}
