import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../../../src/transport/http2/frame-reader.ts';
import { FrameWriter } from '../../../../src/transport/http2/frame-writer.ts';
import { FieldDecoder } from '../../../../src/transport/http2/hpack/field-decoder.ts';
import { FLAG, FRAME, FRAME_BYTES, PREFACE } from '../../../../src/transport/http2/protocol.ts';

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A socket of which the system takes what it is given at once, or, where it is `stuck`, never more than the first chunk. */
class TestSocket extends Duplex {
  readonly chunks: Buffer[] = [];
  isStuck = false;

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, written: () => void): void {
    this.chunks.push(this.isStuck ? chunk : Buffer.from(chunk));
    if (!this.isStuck) written();
  }

  /** What was written, as frames. */
  get frames(): readonly Frame[] {
    const frames: Frame[] = [];
    const reader = new FrameReader((type, flags, streamId, payload) =>
      frames.push({ type, flags, streamId, payload }),
    );
    reader.read(Buffer.concat([PREFACE, ...this.chunks]));
    return frames;
  }
}

function open(): { readonly socket: TestSocket; readonly writer: FrameWriter } {
  const socket = new TestSocket();
  return { socket, writer: new FrameWriter(socket as unknown as Socket) };
}

describe('a writer of frames', () => {
  it('lets what is written in one turn leave together, at its end', async () => {
    const { socket, writer } = open();
    writer.write(FRAME.ping, FLAG.ack, 0, Buffer.from('12345678'));
    writer.writeNumber(FRAME.windowUpdate, 7, 0x7fff_ffff);
    writer.writeFields(7, [':status', '200'], false);
    writer.beginData(7, 3, true);
    writer.append(Buffer.from('a'));
    writer.append(Buffer.from('bc'));
    expect(socket.chunks).toEqual([]);
    await new Promise(setImmediate);
    expect(socket.chunks).toHaveLength(1);
    expect(socket.frames).toMatchObject([
      { type: FRAME.ping, flags: FLAG.ack, streamId: 0, payload: Buffer.from('12345678') },
      { type: FRAME.windowUpdate, flags: 0, streamId: 7, payload: Buffer.of(0x7f, 0xff, 0xff, 0xff) },
      { type: FRAME.headers, flags: FLAG.endHeaders, streamId: 7 },
      { type: FRAME.data, flags: FLAG.endStream, streamId: 7, payload: Buffer.from('abc') },
    ]);
  });

  it('says once that it uses no table', () => {
    const { socket, writer } = open();
    for (const id of [1, 3]) writer.writeFields(id, [':status', '204'], true);
    writer.flush();
    expect(socket.frames.map(({ payload }) => payload.toString('hex'))).toEqual(['2089', '89']);
    expect(socket.frames[0]?.flags).toBe(FLAG.endHeaders | FLAG.endStream);
  });

  it('cuts a long block of headers into continuations', () => {
    const { socket, writer } = open();
    const fields = [':status', '200', 'x', 'v'.repeat(2 * FRAME_BYTES + 100)];
    for (const id of [1, 3]) writer.writeFields(id, fields, true);
    writer.flush();
    const types = [FRAME.headers, FRAME.continuation, FRAME.continuation];
    expect(socket.frames.map(({ type }) => type)).toEqual([...types, ...types]);
    const flags = [FLAG.endStream, 0, FLAG.endHeaders];
    expect(socket.frames.map((each) => each.flags)).toEqual([...flags, ...flags]);
    const decoder = new FieldDecoder(2 ** 20);
    for (const id of [1, 3]) {
      const parts = socket.frames.filter(({ streamId }) => streamId === id).map(({ payload }) => payload);
      for (const part of parts) expect(part.length).toBeLessThanOrEqual(FRAME_BYTES);
      expect(decoder.decode(Buffer.concat(parts))).toEqual(fields);
    }
  });

  it('writes payloads across its buffers', () => {
    const { socket, writer } = open();
    const payload = Buffer.from(Array.from({ length: FRAME_BYTES }, (_, i) => i % 251));
    for (let n = 0; n < 20; n += 1) {
      writer.beginData(n * 2 + 1, payload.length, false);
      writer.append(payload.subarray(0, n * 500));
      writer.append(payload.subarray(n * 500));
    }
    writer.flush();
    expect(socket.frames).toHaveLength(20);
    for (const frame of socket.frames) expect(frame.payload.equals(payload)).toBe(true);
  });

  it('keeps no more for a socket that is stuck than what it is to send', async () => {
    const { socket, writer } = open();
    socket.isStuck = true;
    const seen = new Set<ArrayBufferLike>();
    socket.write('first');
    const write = socket.write.bind(socket);
    socket.write = (chunk: Buffer) => {
      seen.add(chunk.buffer);
      return write(chunk);
    };
    for (let n = 0; n < 1_000; n += 1) {
      writer.write(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8));
      await new Promise(setImmediate);
    }
    const keptBytes = [...seen].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(socket.writableLength).toBe('first'.length + 1_000 * 17);
    expect(keptBytes).toBeLessThan(256 * 1024);
  });

  it('drops what is written for a socket that is gone', async () => {
    const { socket, writer } = open();
    socket.destroy();
    writer.writeNumber(FRAME.windowUpdate, 0, 1);
    await new Promise(setImmediate);
    expect(socket.chunks).toEqual([]);
  });

  it('is full as long as its socket is', () => {
    const { socket, writer } = open();
    socket.isStuck = true;
    expect(writer.isFull).toBe(false);
    writer.beginData(1, socket.writableHighWaterMark, false);
    writer.append(Buffer.alloc(socket.writableHighWaterMark));
    writer.flush();
    expect(writer.isFull).toBe(true);
  });
});
