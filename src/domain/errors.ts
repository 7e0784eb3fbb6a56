// What can go wrong, in the domain's words: every failure that a caller may meet has a reason, and nothing else has.
// The reasons are those of the public contract (concord.error.v1.ErrorReason), without its prefix.

/** Why an operation failed; see `proto/concord/error/v1/error_reason.proto` for the meaning and metadata of each. */
export type ErrorReason =
  | 'REQUEST_MALFORMED'
  | 'FIELD_INVALID'
  | 'REQUEST_TOO_LARGE'
  | 'RESPONSE_TOO_LARGE'
  | 'NOT_SUPPORTED'
  | 'PAGE_TOKEN_INVALID'
  | 'LIMIT_REACHED'
  | 'DEADLINE_EXCEEDED'
  | 'CALL_CANCELED'
  | 'SHUTTING_DOWN'
  | 'INTERNAL'
  | 'SERVICE_NOT_FOUND'
  | 'STORE_UNAVAILABLE'
  | 'OUTCOME_UNKNOWN'
  | 'STORE_OVERLOADED'
  | 'STORE_SPACE_EXCEEDED'
  | 'STORE_CREDENTIALS_REJECTED'
  | 'STORE_PERMISSION_DENIED'
  | 'STORE_REJECTED'
  | 'STORE_CORRUPT'
  | 'KEY_NOT_FOUND'
  | 'LEASE_NOT_FOUND'
  | 'REVISION_MISMATCH'
  | 'REVISION_COMPACTED'
  | 'REVISION_IN_FUTURE'
  | 'KEY_DUPLICATE'
  | 'TOO_MANY_OPERATIONS'
  | 'FENCE_LOST'
  | 'WATCH_TOO_SLOW'
  | 'RESUME_TOKEN_INVALID'
  | 'LEASE_ALREADY_EXISTS'
  | 'SESSION_NOT_FOUND'
  | 'SESSION_TAKEN_OVER'
  | 'LOCK_HELD'
  | 'NOT_LOCK_HOLDER'
  | 'LOCK_MODE_MISMATCH'
  | 'NO_LEADER'
  | 'NOT_LEADER'
  | 'CANDIDATE_NOT_FOUND'
  | 'INSTANCE_NOT_FOUND'
  | 'FILTER_INVALID'
  | 'PROBE_NOT_ALLOWED'
  | 'CONFIG_ITEM_NOT_FOUND'
  | 'CONFIG_VERSION_NOT_FOUND'
  | 'CONFIG_VALUE_INVALID'
  | 'CONFIG_SCHEMA_INVALID'
  | 'CONFIG_TEXT_INVALID'
  | 'CONFIG_FORMAT_UNFIT'
  | 'SECRET_ACCESS_DENIED'
  | 'SECRET_KEY_UNKNOWN'
  | 'SUBSCRIBER_NOT_FOUND';

/** A failure with a reason that callers can act on. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly reason: ErrorReason;
  /** Everything that changes from one message of this reason to the next. Never a value of the store. */
  readonly metadata: Readonly<Record<string, string>>;

  /**
   * @param message what happened; what to do.
   * @param options `cause` is logged, never sent to the caller.
   */
  constructor(
    reason: ErrorReason,
    message: string,
    metadata: Readonly<Record<string, string>> = {},
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.reason = reason;
    this.metadata = metadata;
  }
}
