// The one place that reads etcd's errors. Etcd tells most causes apart by text alone (api/v3rpc/rpctypes/error.go).

import { DomainError, type ErrorReason } from '../domain/errors.ts';
import { isSurelyNotApplied, Status, type StatusError } from './status.ts';

/** What was tried. */
export interface Attempt {
  readonly isWrite: boolean;
  /** Whether any member may answer by itself, also without a leader. @default false */
  readonly isSerializable?: boolean | undefined;
  /** The lease that the request names, where it names exactly one. */
  readonly leaseId?: bigint | undefined;
  /** The revision that the request names, where it names one. */
  readonly revision?: bigint | undefined;
}

type Rule = readonly [RegExp, ErrorReason, string];

const LEASE_NOT_FOUND = 'The lease does not exist; it expired or was revoked';
const STORE_UNAVAILABLE = 'Etcd does not answer; try again later';

const RULES: readonly Rule[] = [
  [/revision has been compacted/, 'REVISION_COMPACTED', 'The revision was compacted away; read a newer one'],
  [/is a future revision/, 'REVISION_IN_FUTURE', 'The store has not reached the revision'],
  [/duplicate key given/, 'KEY_DUPLICATE', 'A key is written twice in one transaction; write each key once'],
  [
    /too many operations/,
    'TOO_MANY_OPERATIONS',
    'More operations than etcd takes in one transaction (128 by default)',
  ],
  [
    /request is too large|grpc: received message larger/,
    'REQUEST_TOO_LARGE',
    'The request exceeds the 1.5 MiB etcd takes',
  ],
  [/^Received message larger/, 'RESPONSE_TOO_LARGE', 'The answer is too large; ask for less at once'],
  [/lease not found/, 'LEASE_NOT_FOUND', LEASE_NOT_FOUND],
  [
    /lease already exists/,
    'LEASE_ALREADY_EXISTS',
    'A lease with this id exists already; choose another id, or let one be chosen',
  ],
  [
    /database space exceeded/,
    'STORE_SPACE_EXCEEDED',
    "Etcd's disk quota is used up; compact, defragment and disarm the alarm",
  ],
  [/too many requests/, 'STORE_OVERLOADED', 'Etcd has more to do than it keeps up with; try again later'],
  [/permission denied/, 'STORE_PERMISSION_DENIED', "Etcd does not let the gateway's user do this"],
  [
    /authentication|invalid auth token|user name is empty|revision of auth store|invalid user|user name not found/,
    'STORE_CREDENTIALS_REJECTED',
    'Etcd refuses the credentials of the gateway; check ETCD_USERNAME and ETCD_PASSWORD',
  ],
  [/corrupt/, 'STORE_CORRUPT', 'Etcd reports corrupt data; see its alarms'],
];

/** Returns the domain's error for an etcd failure. */
export function toDomainError(error: StatusError, attempt: Attempt): DomainError {
  const [reason, message] = classify(error, attempt);
  return new DomainError(reason, message, metadataOf(reason, attempt), { cause: error });
}

/** Returns the error for a lease that etcd says is gone in an answer, and not as a failure. */
export function leaseNotFound(leaseId: bigint): DomainError {
  return new DomainError('LEASE_NOT_FOUND', LEASE_NOT_FOUND, { lease_id: String(leaseId) });
}

/** Returns the error for a call that was given up before etcd answered, and had no effect that matters. */
export function storeUnavailable(cause: unknown): DomainError {
  return new DomainError('STORE_UNAVAILABLE', STORE_UNAVAILABLE, {}, { cause });
}

function classify(error: StatusError, { isWrite }: Attempt): readonly [ErrorReason, string] {
  for (const [pattern, reason, message] of RULES) {
    if (pattern.test(error.details)) return [reason, message];
  }
  switch (error.code) {
    case Status.dataLoss:
      return ['STORE_CORRUPT', 'Etcd reports corrupt data; see its alarms'];
    case Status.cancelled:
    case Status.unknown:
    case Status.deadlineExceeded:
    case Status.internal:
    case Status.unavailable:
      return isWrite && !isSurelyNotApplied(error)
        ? [
            'OUTCOME_UNKNOWN',
            "Etcd's answer was lost; the write may or may not have happened. Read before writing again",
          ]
        : ['STORE_UNAVAILABLE', STORE_UNAVAILABLE];
    default:
      return ['STORE_REJECTED', `Etcd refused the request: ${error.details}`];
  }
}

function metadataOf(reason: ErrorReason, { leaseId, revision }: Attempt): Record<string, string> {
  switch (reason) {
    case 'LEASE_NOT_FOUND':
    case 'LEASE_ALREADY_EXISTS':
      return leaseId === undefined ? {} : { lease_id: String(leaseId) };
    case 'REVISION_COMPACTED':
    case 'REVISION_IN_FUTURE':
      return revision === undefined || revision === 0n ? {} : { revision: String(revision) };
    case 'TOO_MANY_OPERATIONS':
      return { limit: '128' };
    default:
      return {};
  }
}
