// The one place that builds Connect errors: each has a code, one google.rpc.ErrorInfo with a reason of the contract, and
// where waiting helps a google.rpc.RetryInfo. What is thrown and has no reason is a fault of ours, and says nothing of itself.

import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '../../../gen/google/rpc/error_details_pb.ts';
import { DomainError, type ErrorReason } from '../../domain/errors.ts';

/** The `domain` of every google.rpc.ErrorInfo. */
export const ERROR_DOMAIN = 'concord';

/** How long a caller should wait before it tries an UNAVAILABLE call again, in milliseconds. */
const RETRY_DELAY_MS = 500;

/** The code of each reason; the contract's comments say the same. */
export const CODES: Readonly<Record<ErrorReason, Code>> = {
  REQUEST_MALFORMED: Code.InvalidArgument,
  FIELD_INVALID: Code.InvalidArgument,
  REQUEST_TOO_LARGE: Code.ResourceExhausted,
  RESPONSE_TOO_LARGE: Code.ResourceExhausted,
  NOT_SUPPORTED: Code.Unimplemented,
  PAGE_TOKEN_INVALID: Code.InvalidArgument,
  LIMIT_REACHED: Code.ResourceExhausted,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CALL_CANCELED: Code.Canceled,
  SHUTTING_DOWN: Code.Unavailable,
  INTERNAL: Code.Internal,
  SERVICE_NOT_FOUND: Code.NotFound,
  STORE_UNAVAILABLE: Code.Unavailable,
  OUTCOME_UNKNOWN: Code.Unavailable,
  STORE_OVERLOADED: Code.Unavailable,
  STORE_SPACE_EXCEEDED: Code.FailedPrecondition,
  STORE_CREDENTIALS_REJECTED: Code.FailedPrecondition,
  STORE_PERMISSION_DENIED: Code.PermissionDenied,
  STORE_REJECTED: Code.FailedPrecondition,
  STORE_CORRUPT: Code.DataLoss,
  KEY_NOT_FOUND: Code.NotFound,
  LEASE_NOT_FOUND: Code.NotFound,
  REVISION_MISMATCH: Code.Aborted,
  REVISION_COMPACTED: Code.OutOfRange,
  REVISION_IN_FUTURE: Code.OutOfRange,
  KEY_DUPLICATE: Code.InvalidArgument,
  TOO_MANY_OPERATIONS: Code.InvalidArgument,
  FENCE_LOST: Code.FailedPrecondition,
  WATCH_TOO_SLOW: Code.ResourceExhausted,
  RESUME_TOKEN_INVALID: Code.InvalidArgument,
  LEASE_ALREADY_EXISTS: Code.AlreadyExists,
  SESSION_NOT_FOUND: Code.NotFound,
  SESSION_TAKEN_OVER: Code.Aborted,
  LOCK_HELD: Code.Aborted,
  NOT_LOCK_HOLDER: Code.FailedPrecondition,
  LOCK_MODE_MISMATCH: Code.FailedPrecondition,
  NO_LEADER: Code.NotFound,
  NOT_LEADER: Code.FailedPrecondition,
  CANDIDATE_NOT_FOUND: Code.NotFound,
  INSTANCE_NOT_FOUND: Code.NotFound,
  FILTER_INVALID: Code.InvalidArgument,
  PROBE_NOT_ALLOWED: Code.FailedPrecondition,
  CONFIG_ITEM_NOT_FOUND: Code.NotFound,
  CONFIG_VERSION_NOT_FOUND: Code.NotFound,
  CONFIG_VALUE_INVALID: Code.InvalidArgument,
  CONFIG_SCHEMA_INVALID: Code.InvalidArgument,
  CONFIG_TEXT_INVALID: Code.InvalidArgument,
  CONFIG_FORMAT_UNFIT: Code.FailedPrecondition,
  SECRET_ACCESS_DENIED: Code.PermissionDenied,
  SECRET_KEY_UNKNOWN: Code.FailedPrecondition,
  SUBSCRIBER_NOT_FOUND: Code.NotFound,
};

/** Returns the Connect error for whatever a handler threw. */
export function toConnectError(error: unknown, requestId: string): ConnectError {
  if (error instanceof ConnectError) return reasonOf(error) === undefined ? withReason(error) : error;
  if (error instanceof DomainError) return reasonError(error.reason, error.message, error.metadata, error);
  if (isAbort(error)) return reasonError('CALL_CANCELED', 'The call was canceled', {}, error);
  return reasonError(
    'INTERNAL',
    `Internal fault; the server's log has the cause under request ${requestId}`,
    { request_id: requestId },
    error,
  );
}

/** Returns a Connect error with the code that belongs to `reason`. `cause` is for the log only. */
export function reasonError(
  reason: ErrorReason,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
  cause?: unknown,
): ConnectError {
  // A message that quotes half a character could not be sent in a header.
  const error = new ConnectError(message.toWellFormed(), CODES[reason], undefined, undefined, cause);
  attachReason(error, reason, metadata);
  return error;
}

/**
 * Gives an error that the Connect library raised its reason.
 *
 * The library raises errors of its own only for what the caller sent or did, so that none of them is a fault of ours: one
 * that it calls internal or unknown (bad base64 in a query, for example) is a malformed request.
 */
export function withReason(error: ConnectError): ConnectError {
  switch (error.code) {
    case Code.ResourceExhausted:
      return /writeMaxBytes/.test(error.rawMessage)
        ? reasonError('RESPONSE_TOO_LARGE', 'The answer is too large; ask for less at once', {}, error)
        : requestTooLarge(error);
    case Code.Unimplemented:
      return reasonError('NOT_SUPPORTED', error.rawMessage, {}, error);
    case Code.DeadlineExceeded:
      return reasonError('DEADLINE_EXCEEDED', 'The deadline of the call passed', {}, error);
    case Code.Canceled:
    case Code.Aborted:
      return reasonError('CALL_CANCELED', 'The call was canceled', {}, error);
    case Code.Unavailable:
      return reasonError('SHUTTING_DOWN', error.rawMessage, {}, error);
    default:
      return reasonError('REQUEST_MALFORMED', error.rawMessage, {}, error);
  }
}

/** Returns the reason that an error carries, or undefined where it carries none. */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema).find((info) => info.domain === ERROR_DOMAIN)?.reason;
}

/** What signals that were aborted without a reason reject with. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function attachReason(
  error: ConnectError,
  reason: ErrorReason,
  metadata: Readonly<Record<string, string>>,
): void {
  error.details.push({
    desc: ErrorInfoSchema,
    value: { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } },
  });
  if (error.code === Code.Unavailable) {
    const retryDelay = { seconds: 0n, nanos: RETRY_DELAY_MS * 1_000_000 };
    error.details.push({ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) });
  }
}

function requestTooLarge(error: ConnectError): ConnectError {
  const limit = /readMaxBytes (\d+)/.exec(error.rawMessage)?.[1];
  if (limit === undefined) return reasonError('REQUEST_TOO_LARGE', error.rawMessage, {}, error);
  const message = `The request is larger than the ${limit} bytes that are taken`;
  return reasonError('REQUEST_TOO_LARGE', message, { limit_bytes: limit }, error);
}
