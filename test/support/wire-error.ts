import { fromBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { codeFromString } from '@connectrpc/connect/protocol-connect';
import { type ErrorInfo, ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { readGrpcStatus } from './grpc-status.ts';
import type { RawAnswer } from './raw-request.ts';
import { envelopesOf } from './wire-envelopes.ts';

/** An error as it came over the wire, whatever the protocol. */
export interface WireError {
  /** Such as `InvalidArgument`. */
  readonly code: string;
  readonly message: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What else is said of it. */
  readonly details: readonly WireDetail[];
  readonly httpStatus: number;
}

/** A message that tells more of an error. */
export interface WireDetail {
  /** Such as `google.rpc.RetryInfo`. */
  readonly type: string;
  readonly bytes: Buffer;
}

const GRPC_WEB_TRAILER_FLAG = 0x80;
const CONNECT_END_FLAG = 0x02;
const ERROR_INFO = 'google.rpc.ErrorInfo';

/**
 * Reads the error of an answer; undefined where it is a success.
 *
 * Throws where it is not one clear error: a code that says nothing, or not exactly one reason of ours.
 */
export function wireErrorOf(answer: RawAnswer): WireError | undefined {
  const contentType = answer.headers['content-type'] ?? '';
  if (contentType.startsWith('application/grpc-web')) return grpcError(answer, grpcWebTrailer(answer));
  if (contentType.startsWith('application/grpc'))
    return grpcError(answer, { ...answer.headers, ...answer.trailers });
  if (contentType.startsWith('application/connect+')) return connectStreamError(answer);
  if (answer.status === 200) return undefined;
  if (contentType !== 'application/json') throw unclear(answer, `an error of content type "${contentType}"`);
  return connectError(answer, answer.body.toString());
}

type Trailer = Readonly<Record<string, string | readonly string[] | undefined>>;

function grpcError(answer: RawAnswer, trailer: Trailer): WireError | undefined {
  const { 'grpc-status': status, 'grpc-message': message, 'grpc-status-details-bin': details } = trailer;
  if (answer.status !== 200) throw unclear(answer, `HTTP ${answer.status} with gRPC`);
  if (status === '0') return undefined;
  if (typeof details !== 'string') throw unclear(answer, `grpc-status ${status} without details: ${message}`);
  const parsed = readGrpcStatus(Buffer.from(details, 'base64'));
  if (parsed.code !== Number(status) || parsed.message !== decodeURIComponent(String(message))) {
    throw unclear(
      answer,
      'grpc-status-details-bin that says something else than grpc-status and grpc-message',
    );
  }
  const sent = parsed.details.map(({ typeUrl, value }) => ({
    type: typeUrl.replace('type.googleapis.com/', ''),
    bytes: Buffer.from(value),
  }));
  return clearError(answer, parsed.code, parsed.message, sent);
}

function grpcWebTrailer(answer: RawAnswer): Trailer {
  if (answer.headers['grpc-status'] !== undefined) return answer.headers;
  const frame = envelopesOf(answer.body).find(({ flags }) => (flags & GRPC_WEB_TRAILER_FLAG) !== 0);
  if (frame === undefined) throw unclear(answer, 'no trailer frame');
  const lines = frame.content.toString('latin1').split('\r\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
}

interface ConnectErrorJson {
  readonly code: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

function connectError(answer: RawAnswer, json: string): WireError {
  const { code, message = '', details = [] } = JSON.parse(json) as ConnectErrorJson;
  const sent = details.map(({ type, value }) => ({ type, bytes: Buffer.from(value, 'base64') }));
  return clearError(answer, codeFromString(code) ?? Code.Unknown, message, sent);
}

function connectStreamError(answer: RawAnswer): WireError | undefined {
  const end = envelopesOf(answer.body).find(({ flags }) => (flags & CONNECT_END_FLAG) !== 0);
  if (end === undefined) throw unclear(answer, 'no end of the stream');
  const { error } = JSON.parse(end.content.toString()) as { readonly error?: object };
  return error && connectError(answer, JSON.stringify(error));
}

function clearError(answer: RawAnswer, code: Code, message: string, sent: readonly WireDetail[]): WireError {
  const [info, ...others] = sent
    .filter(({ type }) => type === ERROR_INFO)
    .map(({ bytes }): ErrorInfo => fromBinary(ErrorInfoSchema, bytes));
  if (info === undefined || others.length > 0)
    throw unclear(answer, `${others.length + (info === undefined ? 0 : 1)} ${ERROR_INFO}: ${message}`);
  if (info.domain !== 'concord') throw unclear(answer, `the domain "${info.domain}"`);
  if (message === '') throw unclear(answer, 'no message');
  const { reason, metadata } = info;
  const details = sent.filter(({ type }) => type !== ERROR_INFO);
  return { code: Code[code] ?? String(code), message, reason, metadata, details, httpStatus: answer.status };
}

function unclear({ status, body }: RawAnswer, what: string): Error {
  return new Error(
    `the answer is unclear, it has ${what}; HTTP ${status}: ${body.toString('latin1').slice(0, 500)}`,
  );
}
