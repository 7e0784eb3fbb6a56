import type { ConnectError } from '@connectrpc/connect';
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamToJson,
  errorToJsonBytes,
} from '@connectrpc/connect/protocol-connect';
import { trailerFlag, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import { grpcStatus } from '../grpc-status.ts';
import { envelope } from './envelope.ts';
import type { Outlet } from './outlet.ts';
import type { Wire } from './wire.ts';

const COMPRESSED = 1;
const SUCCEEDED: readonly string[] = ['grpc-status', '0'];
const SUCCEEDED_FRAME = envelope(trailerFlag, trailerSerialize(grpcStatus(undefined)));

/** Sends the message that answers a unary call. */
export function sendMessage(
  outlet: Outlet,
  wire: Wire,
  requestId: string,
  data: Uint8Array,
  isCompressed: boolean,
): void {
  const { protocol } = wire;
  const headers = headersOf(wire.contentType, requestId);
  if (isCompressed) headers.push(protocol === 'connect' ? 'content-encoding' : 'grpc-encoding', 'gzip');
  if (protocol === 'connect') {
    sendWhole(outlet, 200, headers, data);
    return;
  }
  const message = envelope(isCompressed ? COMPRESSED : 0, data);
  if (protocol === 'grpc-web') {
    sendWhole(outlet, 200, headers, Buffer.concat([message, SUCCEEDED_FRAME]));
  } else {
    outlet.begin(200, headers);
    outlet.end(message, SUCCEEDED);
  }
}

/** Sends the error that answers a unary call of Connect. */
export function sendError(outlet: Outlet, requestId: string, failure: ConnectError): void {
  const headers = headersOf('application/json', requestId);
  sendWhole(outlet, codeToHttpStatus(failure.code), headers, errorToJsonBytes(failure, undefined));
}

/** Sends the head of an answer whose messages follow, each in an envelope. */
export function beginStream(outlet: Outlet, { contentType }: Wire, requestId: string): void {
  outlet.begin(200, headersOf(contentType, requestId));
}

/** Sends what comes after the last message: how the call ended. */
export function endStream(outlet: Outlet, { protocol }: Wire, failure: ConnectError | undefined): void {
  switch (protocol) {
    case 'grpc':
      outlet.end(undefined, failure === undefined ? SUCCEEDED : [...grpcStatus(failure)].flat());
      return;
    case 'grpc-web':
      outlet.end(
        failure === undefined
          ? SUCCEEDED_FRAME
          : envelope(trailerFlag, trailerSerialize(grpcStatus(failure))),
      );
      return;
    case 'connect': {
      const json = JSON.stringify(endStreamToJson(new Headers(), failure, undefined));
      outlet.end(envelope(endStreamFlag, Buffer.from(json)));
    }
  }
}

function headersOf(contentType: string, requestId: string): string[] {
  return ['content-type', contentType, 'x-request-id', requestId];
}

/** Its length is told. */
function sendWhole(outlet: Outlet, status: number, headers: readonly string[], body: Uint8Array): void {
  outlet.begin(status, [...headers, 'content-length', String(body.byteLength)]);
  outlet.end(body);
}
