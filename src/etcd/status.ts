// How etcd's failures look to the callers of src/etcd, as gRPC delivers them.

/** A gRPC status that is not OK. */
export interface StatusError extends Error {
  readonly code: number;
  /** The server's words, or those of the client library where no server answered. */
  readonly details: string;
}

/** gRPC's status codes. Source: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
export const Status = {
  cancelled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  failedPrecondition: 9,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
} as const;

/** The connection was never made, so that no server can have seen the request (words of grpc-js). */
const NOT_SENT = /^(No connection established|Name resolution failed)/;

/** The server refused before it proposed anything to the others (etcd api/v3rpc/rpctypes/error.go). */
const NOT_APPLIED =
  /etcdserver: (no leader|not leader|too many requests|not capable|rpc not supported for learner|server is not ready)/;

const TOKEN_REJECTED = /etcdserver: (invalid auth token|revision of auth store is old|user name is empty)/;

/** Returns whether the request surely had no effect, so that even a write may be sent again. */
export function isSurelyNotApplied({ code, details }: StatusError): boolean {
  if (code === Status.unavailable) return NOT_SENT.test(details) || NOT_APPLIED.test(details);
  return code === Status.resourceExhausted && NOT_APPLIED.test(details);
}

/** Returns whether another try, perhaps at another member, may go better: worth it for requests that may be repeated. */
export function isPassing({ code, details }: StatusError): boolean {
  return (
    code === Status.unavailable ||
    code === Status.deadlineExceeded ||
    code === Status.cancelled ||
    (code === Status.internal && /RST_STREAM|stream/i.test(details)) ||
    (code === Status.resourceExhausted && NOT_APPLIED.test(details))
  );
}

/** Returns whether a new token helps. Such a request was refused before anything was done. */
export function isTokenRejected({ details }: StatusError): boolean {
  return TOKEN_REJECTED.test(details);
}
