// What went wrong, as people, scripts and the shell are told.
// The exit codes are a contract: docs/cli.md and `--help` name them.

import { Code, ConnectError } from '@connectrpc/connect';
import { codeToString } from '@connectrpc/connect/protocol-connect';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';

/** How the process ends; a command that was run for another ends with that one's code. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unavailable: 5,
  permission: 6,
} as const;

/** What each exit code means, for `--help`. */
export const EXIT_CODES = `Exit codes:
  0  ok
  1  failure
  2  the command line cannot be used
  3  not found
  4  conflict: changed by another, a lock that is held or lost, a condition that does not hold
  5  the gateway or etcd does not answer, or not in time
  6  not allowed
  Of "-- command": its own, 128 and its signal's number where one ended it, 127 and 126 where it cannot be run.`;

/** What happened; the same words in text and JSON. */
export interface Failure {
  /** As Connect writes it, such as `not_found`; of the command itself `usage` or `failed`. */
  readonly code: string;
  /** Of `concord.error.v1.ErrorReason`, where the gateway gave one. */
  readonly reason?: string;
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly exitCode: number;
}

/** A failure that the command itself found. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
    this.failure = failure;
  }
}

/** Returns the error of a command line that cannot be used. */
export function usageError(message: string): CliError {
  return new CliError({ code: 'usage', message, exitCode: EXIT.usage });
}

/** Returns the reason that the gateway gave; undefined: the error is not the gateway's. */
export function reasonOf(error: unknown): string | undefined {
  return infoOf(error)?.reason;
}

/** Returns the gateway's own words about an error; undefined: it is not the gateway's. */
export function infoOf(
  error: unknown,
): { readonly reason: string; readonly metadata: Record<string, string> } | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === 'concord');
}

/** Says what whatever was thrown means. `address` is the gateway's, for what never reached it. */
export function describeFailure(error: unknown, address: string): Failure {
  if (error instanceof CliError) return error.failure;
  if (!(error instanceof ConnectError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: 'failed', message, exitCode: EXIT.failure };
  }
  const info = infoOf(error);
  const code = codeToString(error.code);
  if (info !== undefined) {
    const { reason, metadata } = info;
    return { code, reason, message: error.rawMessage, metadata, exitCode: exitCodeOf(error.code) };
  }
  switch (error.code) {
    case Code.Unavailable:
    case Code.Aborted:
      return {
        code,
        message: `no gateway answers at ${address}: ${error.rawMessage}`,
        exitCode: EXIT.unavailable,
      };
    case Code.DeadlineExceeded:
      return {
        code,
        message: `the gateway at ${address} did not answer in time; --timeout sets how long`,
        exitCode: EXIT.unavailable,
      };
    default:
      return { code, message: `${address}: ${error.rawMessage}`, exitCode: exitCodeOf(error.code) };
  }
}

/** Writes a failure as one line. */
export function failureLine({ message, reason, code }: Failure): string {
  const oneLine = message.replaceAll(/\s*\n\s*/g, ' ');
  const why = reason ?? (code === 'usage' || code === 'failed' ? undefined : code.toUpperCase());
  return `concord: ${oneLine}${why === undefined ? '' : ` (${why})`}`;
}

/** Writes a failure as one line of JSON. */
export function failureJson({ exitCode: _, ...told }: Failure): string {
  return JSON.stringify(told);
}

function exitCodeOf(code: Code): number {
  switch (code) {
    case Code.NotFound:
      return EXIT.notFound;
    case Code.Aborted:
    case Code.FailedPrecondition:
    case Code.AlreadyExists:
      return EXIT.conflict;
    case Code.Unavailable:
    case Code.DeadlineExceeded:
      return EXIT.unavailable;
    case Code.PermissionDenied:
    case Code.Unauthenticated:
      return EXIT.permission;
    default:
      return EXIT.failure;
  }
}
