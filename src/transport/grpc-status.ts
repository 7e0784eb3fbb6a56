import type { ConnectError } from '@connectrpc/connect';
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc';

const MESSAGE = 'grpc-message';

/** Returns the trailers that end a call of gRPC or gRPC-Web. */
export function grpcStatus(error: ConnectError | undefined): Headers {
  return respellMessage(setTrailerStatus(new Headers(), error));
}

/**
 * Writes the message of a status as gRPC asks for it: percent-encoded are only the percent sign and what is not printable ASCII, and
 * here the spaces at its ends, which a header would lose.
 * The library encodes slashes and colons too, which grpc-js then shows as `%2F` and `%3A`.
 */
export function respellMessage(trailer: Headers): Headers {
  const message = trailer.get(MESSAGE);
  if (message?.includes('%')) trailer.set(MESSAGE, encodeMessage(decodeURIComponent(message)));
  return trailer;
}

/** Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Status-Message". */
function encodeMessage(message: string): string {
  return message.replace(/%|[^\x20-\x7e]+|^ +| +$/g, encodeURIComponent);
}
