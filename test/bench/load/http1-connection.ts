import { once } from 'node:events';
import { connect } from 'node:net';
import type { Call, CallConnection, CallEvents, Connector, OpenCall } from './call.ts';

const HOST = '127.0.0.1';
const HEAD_END = '\r\n\r\n';
const NOTHING = Buffer.alloc(0);

/** Encodes a call's requests; what it gives opens kept-alive HTTP/1.1 connections for them, each for one call at a time. */
export function createHttp1Connector(port: number, call: Call): Connector {
  const requests = call.requests.map((body) => encodeRequest(call.path, port, body));
  return (events) => connectHttp1(port, requests, events);
}

async function connectHttp1(
  port: number,
  requests: readonly Buffer[],
  events: CallEvents,
): Promise<CallConnection> {
  let open: OpenCall | undefined;
  let unread: Buffer = NOTHING;
  let outgoing: Buffer | undefined;

  const socket = connect({ host: HOST, port, noDelay: true });
  await once(socket, 'connect');
  socket.on('error', (error) => events.onFailure(error));
  socket.on('close', () => events.onFailure(new Error('the server closed the connection')));
  socket.on('data', (chunk) => {
    try {
      read(chunk);
      flush();
    } catch (error) {
      events.onFailure(error instanceof Error ? error : new Error(String(error)));
    }
  });

  function send(index: number): void {
    if (open !== undefined) throw new Error('over HTTP/1.1 a connection has one call at a time');
    open = { index, sentAtMs: performance.now() };
    outgoing = requests[index];
  }

  function flush(): void {
    if (outgoing === undefined) return;
    socket.write(outgoing);
    outgoing = undefined;
  }

  function read(chunk: Buffer): void {
    const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    unread = bytes;
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = bytes.toString('latin1', 0, headEnd);
    const body = readBody(head, bytes.subarray(headEnd + HEAD_END.length));
    if (body === undefined) return;
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(`${head.split('\r\n', 1)[0]}: ${body.toString()}`);
    const answered = open;
    if (answered === undefined) throw new Error('an answer that no call is open for');
    unread = NOTHING;
    open = undefined;
    events.onAnswer(answered, body);
  }

  return {
    send,
    flush,
    close() {
      socket.removeAllListeners('close');
      socket.destroy();
    },
  };
}

/** Gives undefined while the body is not whole. */
function readBody(head: string, rest: Buffer): Buffer | undefined {
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  if (length === undefined) throw new Error(`an answer without content-length:\n${head}`);
  if (rest.length > Number(length)) throw new Error('more bytes than one answer');
  return rest.length === Number(length) ? rest : undefined;
}

function encodeRequest(path: string, port: number, body: Uint8Array): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${HOST}:${port}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head + HEAD_END), body]);
}
