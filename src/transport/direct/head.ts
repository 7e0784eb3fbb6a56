import type { IncomingHttpHeaders } from 'node:http';
import { isBoundlessTimeout } from '../client-timeout.ts';
import type { DirectRpc } from './rpcs.ts';
import { type Wire, wireOf } from './wire.ts';

/** What is known of a call before its body has come. */
export interface CallHead {
  readonly rpc: DirectRpc;
  readonly wire: Wire;
  readonly headers: IncomingHttpHeaders;
  readonly httpVersion: string;
  /** Whole, with scheme and host. */
  readonly url: string;
  /** The deadline that the caller brings, in milliseconds; undefined: none. */
  readonly timeoutMs: number | undefined;
  /** Whether the answer of a unary call may be compressed. */
  readonly acceptsGzip: boolean;
  /** Whether the library has to see the call as it came: its body is compressed or too large, or a header is odd. */
  readonly isOdd: boolean;
}

const GRPC_TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const CONNECT_TIMEOUT = /^\d{1,10}$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Reads the head of a POST to `rpc`; undefined where its content type is none that the rpc takes. */
export function readHead(
  rpc: DirectRpc,
  { headers, httpVersion, url }: Pick<CallHead, 'headers' | 'httpVersion' | 'url'>,
): CallHead | undefined {
  const wire = wireOf(headers['content-type'] ?? '');
  if (wire === undefined) return undefined;
  const isConnect = wire.protocol === 'connect';
  if (isConnect && wire.isEnveloped !== (rpc.kind === 'stream')) return undefined;
  const timeout = headers[isConnect ? 'connect-timeout-ms' : 'grpc-timeout'];
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout, isConnect);
  const encoding = headers[encodingHeader(wire)] ?? 'identity';
  const accepted = headers[isConnect ? 'accept-encoding' : 'grpc-accept-encoding'] ?? '';
  const version = headers['connect-protocol-version'] ?? '1';
  return {
    rpc,
    wire,
    headers,
    httpVersion,
    url,
    timeoutMs: timeoutMs ?? undefined,
    acceptsGzip: takesGzip(accepted),
    isOdd: encoding !== 'identity' || version !== '1' || timeoutMs === null,
  };
}

function encodingHeader({ protocol, isEnveloped }: Wire): string {
  if (protocol !== 'connect') return 'grpc-encoding';
  return isEnveloped ? 'connect-content-encoding' : 'content-encoding';
}

/** As the library reads it: a name with a weight is not known. */
function takesGzip(accepted: string | readonly string[]): boolean {
  if (accepted === '') return false;
  return String(accepted)
    .split(',')
    .some((name) => name.trim() === 'gzip');
}

/** Undefined: none, or none that matters; null: not one. */
function parseTimeout(timeout: string | string[], isConnect: boolean): number | undefined | null {
  if (typeof timeout !== 'string') return null;
  if (isBoundlessTimeout(isConnect ? 'connect-timeout-ms' : 'grpc-timeout', timeout)) return undefined;
  if (isConnect) return CONNECT_TIMEOUT.test(timeout) ? Number(timeout) : null;
  const [, amount, unit = ''] = GRPC_TIMEOUT.exec(timeout) ?? [];
  return amount === undefined ? null : Number(amount) * (UNIT_MS[unit] ?? 0);
}
