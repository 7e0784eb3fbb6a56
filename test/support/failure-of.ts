import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';

/** What a failed call says to programs. */
export interface Failure {
  readonly code: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly message: string;
  readonly hasRetryInfo: boolean;
}

/** Awaits the failure of a call. Throws where it succeeds, or fails with anything but exactly one reason of ours. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  let error: ConnectError;
  try {
    const answer = await call;
    throw new Error(`the call succeeded: ${answer}`);
  } catch (thrown) {
    if (!(thrown instanceof ConnectError)) throw thrown;
    error = thrown;
  }
  const infos = error.findDetails(ErrorInfoSchema);
  const [info] = infos;
  if (infos.length !== 1 || info === undefined || info.domain !== 'concord') {
    throw new Error(`${infos.length} google.rpc.ErrorInfo in: ${error.message}`, { cause: error });
  }
  return {
    code: Code[error.code] ?? String(error.code),
    reason: info.reason,
    metadata: info.metadata,
    message: error.rawMessage,
    hasRetryInfo: error.findDetails(RetryInfoSchema).length > 0,
  };
}

/** Awaits the failures of calls that are under way at the same time: none of them goes unheard before its turn. */
export function failuresOf(calls: readonly Promise<unknown>[]): Promise<readonly Failure[]> {
  return Promise.all(calls.map((call) => failureOf(call)));
}

/** The same, of calls each of which comes with what is known of it. */
export function failuresWith<const T>(
  calls: readonly (readonly [Promise<unknown>, T])[],
): Promise<readonly (readonly [Failure, T])[]> {
  return Promise.all(calls.map(async ([call, known]) => [await failureOf(call), known] as const));
}
