// A connection of HTTP/1.1 on which nothing but plain requests to rpcs has come is served from its socket: node:http's request, response
// and their events cost as much as all else that is done for a small call. With the first bytes that are anything else, node:http has
// the connection, with those bytes, and keeps it.

import type { Socket } from 'node:net';
import type { DirectServer } from '../direct/direct-server.ts';
import type { CallHead } from '../direct/head.ts';
import type { RpcCall } from '../rpc-call.ts';
import type { ConnectionHeaders } from './connection-headers.ts';
import { PlainOutlet } from './plain-outlet.ts';
import { END_OF_HEAD, readPlainHead } from './read-plain-head.ts';

/** What the connections of a server share. */
export interface PlainServer {
  readonly direct: Pick<DirectServer, 'headOfPlain' | 'openWhole' | 'serve'>;
  readonly connectionHeaders: () => ConnectionHeaders;
  /** How long a connection may be idle before its first request and after an answer, in milliseconds. */
  readonly firstRequestTimeoutMs: number;
  readonly keepAliveMs: number;
  /** Gives node:http a connection whose bytes were put back. */
  readonly handOver: (socket: Socket) => void;
  /** Answers a client that has sent nothing in time. */
  readonly refuseIdle: (socket: Socket) => void;
}

/** What its server has to know of a connection. */
export interface Traffic {
  /** That are being served. */
  requests: number;
  /** For how many checks of a drain it has been idle. */
  idleChecks: number;
  /** Its end was announced, and a request that comes all the same is not served. */
  isClosing: boolean;
}

interface KnownHead {
  /** Up to where the body begins. */
  readonly bytes: Buffer;
  readonly head: CallHead;
  /** Of the body, in bytes. */
  readonly contentLength: number;
}

/** Longer heads are node:http's, which refuses those of more than 16 KiB. */
const MAX_HEAD_BYTES = 8 * 1024;
const LINE_BREAK_BYTES = 2;
/** What comes while a call is served waits for its answer; once it has so many bytes, the rest stays with the client. */
const MAX_WAITING_BYTES = 16 * 1024;

/**
 * Serves a connection for as long as all that comes are plain requests, each with its body in one piece, one after the other.
 *
 * `#call` is the one that is being served, from its last byte until its answer has left; bytes wait in `#waiting` only meanwhile.
 */
export class PlainConnection {
  readonly #socket: Socket;
  readonly #traffic: Traffic;
  readonly #server: PlainServer;
  readonly #isEncrypted: boolean;
  readonly #peer: string | undefined;
  /** The last head and what it means: most clients send the same one again and again. */
  #known: KnownHead | undefined;
  #call: RpcCall | undefined;
  #waiting: Buffer | undefined;
  #hasAnswered = false;

  /** Begins to serve it. */
  constructor(socket: Socket, traffic: Traffic, server: PlainServer) {
    this.#socket = socket;
    this.#traffic = traffic;
    this.#server = server;
    this.#isEncrypted = 'encrypted' in socket && socket.encrypted === true;
    this.#peer = socket.remoteAddress;
    socket.on('data', this.#take);
    socket.on('end', this.#endToo);
    socket.on('timeout', this.#endIdle);
    socket.on('close', this.#lose);
    // Whoever leaves makes this fire; 'close' is what we go by.
    socket.on('error', ignore);
    socket.setTimeout(server.firstRequestTimeoutMs);
  }

  readonly #take = (chunk: Buffer): void => {
    // It has had its last answer, or was told that it is closed.
    if (!this.#socket.writable) return;
    if (this.#call !== undefined) {
      this.#keep(chunk);
      return;
    }
    const known = this.#readHead(chunk);
    if (known === undefined) {
      this.#leave(chunk);
      return;
    }
    const { direct, connectionHeaders } = this.#server;
    this.#traffic.requests += 1;
    const call = direct.openWhole(known.head, this.#peer);
    this.#call = call;
    const outlet = new PlainOutlet(this.#socket, connectionHeaders, this.#sent);
    void direct.serve(known.head, call, chunk.subarray(known.bytes.length), outlet);
  };

  /** Returns the head of the plain request that a chunk is; undefined where it is none, or not exactly one. */
  #readHead(chunk: Buffer): KnownHead | undefined {
    const known = this.#known;
    if (known !== undefined && chunk.length === known.bytes.length + known.contentLength) {
      if (known.bytes.compare(chunk, 0, known.bytes.length) === 0) return known;
    }
    const end = chunk.indexOf(END_OF_HEAD);
    if (end < 0 || end > MAX_HEAD_BYTES) return undefined;
    const plain = readPlainHead(chunk.toString('latin1', 0, end + LINE_BREAK_BYTES));
    const bodyAt = end + END_OF_HEAD.length;
    if (plain === undefined || chunk.length !== bodyAt + plain.contentLength) return undefined;
    const head = this.#server.direct.headOfPlain(plain, this.#isEncrypted);
    // A copy: a part of the chunk would keep all of it in memory.
    const bytes = Buffer.from(chunk.subarray(0, bodyAt));
    this.#known = head && { bytes, head, contentLength: plain.contentLength };
    return this.#known;
  }

  readonly #sent = (error?: Error | null): void => {
    // 'close' follows.
    if (error) return;
    this.#call?.finish();
    this.#call = undefined;
    this.#traffic.requests -= 1;
    this.#traffic.idleChecks = 0;
    const socket = this.#socket;
    // It was the last answer.
    if (!socket.writable) return;
    if (!this.#hasAnswered) socket.setTimeout(this.#server.keepAliveMs);
    this.#hasAnswered = true;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    socket.resume();
    this.#take(waiting);
  };

  #keep(chunk: Buffer): void {
    this.#waiting = this.#waiting === undefined ? chunk : Buffer.concat([this.#waiting, chunk]);
    if (this.#waiting.length >= MAX_WAITING_BYTES) this.#socket.pause();
  }

  #leave(chunk: Buffer): void {
    const socket = this.#socket;
    socket.pause();
    socket.off('data', this.#take);
    socket.off('end', this.#endToo);
    socket.off('timeout', this.#endIdle);
    socket.off('close', this.#lose);
    socket.off('error', ignore);
    socket.setTimeout(0);
    socket.unshift(chunk);
    this.#server.handOver(socket);
    socket.resume();
  }

  /** As node:http does it: who sends nothing more wants no answer either. */
  readonly #endToo = (): void => {
    this.#socket.end();
  };

  readonly #endIdle = (): void => {
    if (this.#call !== undefined) return;
    if (this.#hasAnswered) this.#socket.destroy();
    else this.#server.refuseIdle(this.#socket);
  };

  readonly #lose = (): void => {
    this.#call?.lose();
  };
}

function ignore(): void {}
