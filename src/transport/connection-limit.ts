import type { Socket } from 'node:net';
import { reasonError } from '../rpc/checks/errors.ts';
import { rawErrorAnswer } from './error-answer.ts';
import type { Log } from './log.ts';
import type { HttpVersion } from './sniff-protocol.ts';

/** How often a run of refused connections is logged, in milliseconds. */
const LOG_INTERVAL_MS = 10_000;
/** How long a refused client may take to read why, in milliseconds. */
const REFUSAL_TIMEOUT_MS = 1_000;

/** Refuses the connections that are too many. */
export interface ConnectionLimit {
  /** Connections refused since the start. */
  readonly refused: number;
  /** Tells a client that there are too many, in its own protocol, and closes the connection. */
  refuse(socket: Socket, version: HttpVersion): void;
  /** Notes a connection that was dropped before it could be told anything. */
  noteDropped(): void;
}

/** Returns what refuses connections over `maxConnections`. A burst of them is logged once every 10 seconds, with their number. */
export function createConnectionLimit(maxConnections: number, log: Log): ConnectionLimit {
  let refused = 0;
  let logged = 0;
  let loggedAtMs = Number.NEGATIVE_INFINITY;

  function count(): void {
    refused += 1;
    const now = performance.now();
    if (now - loggedAtMs < LOG_INTERVAL_MS) return;
    log.warn({ maxConnections, refused: refused - logged }, 'connections over the limit are refused');
    logged = refused;
    loggedAtMs = now;
  }

  return {
    get refused() {
      return refused;
    },
    noteDropped: count,
    refuse(socket, version) {
      count();
      socket.on('error', () => {});
      socket.end(version === 'http1' ? http1Refusal(maxConnections) : http2Refusal());
      // What the client still sends is read, so that it reads the answer and not a reset.
      socket.resume();
      const timer = setTimeout(() => socket.destroy(), REFUSAL_TIMEOUT_MS);
      socket.once('close', () => clearTimeout(timer));
      socket.once('end', () => socket.destroySoon());
    },
  };
}

function http1Refusal(maxConnections: number): string {
  const limit = String(maxConnections);
  const message = `The gateway serves ${limit} connections already; try again later, or another replica`;
  return rawErrorAnswer('503 Service Unavailable', reasonError('LIMIT_REACHED', message, { limit }));
}

/** Returns the frames SETTINGS (empty) and GOAWAY (last stream 0: nothing was served; ENHANCE_YOUR_CALM), RFC 9113, 6.5 and 6.8. */
function http2Refusal(): Buffer {
  const why = Buffer.from('connection limit reached');
  const frames = Buffer.alloc(9 + 9 + 8);
  frames.writeUInt8(0x4, 3);
  frames.writeUIntBE(8 + why.length, 9, 3);
  frames.writeUInt8(0x7, 12);
  frames.writeUInt32BE(0xb, 22);
  return Buffer.concat([frames, why]);
}
