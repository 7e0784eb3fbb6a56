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
