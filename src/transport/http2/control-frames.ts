import type { FrameWriter } from './frame-writer.ts';
import { DEFAULT_WINDOW_BYTES, FLAG, FRAME, SETTING } from './protocol.ts';
import { MAX_HEADER_LIST_BYTES } from './request-head.ts';

const NOTHING = Buffer.alloc(0);
const NO_OPAQUE_DATA = Buffer.alloc(8);

/** Writes the frames of a connection that are about itself. */
export class ControlFrames {
  readonly #writer: FrameWriter;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** What a server has to send first. @param windowBytes may be sent over all streams. */
  settings(maxStreams: number, windowBytes: number): void {
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(SETTING.maxConcurrentStreams, 0);
    settings.writeUInt32BE(maxStreams, 2);
    settings.writeUInt16BE(SETTING.maxHeaderListSize, 6);
    settings.writeUInt32BE(MAX_HEADER_LIST_BYTES, 8);
    this.#writer.write(FRAME.settings, 0, 0, settings);
    this.windowUpdate(0, windowBytes - DEFAULT_WINDOW_BYTES);
  }

  acknowledgeSettings(): void {
    this.#writer.write(FRAME.settings, FLAG.ack, 0, NOTHING);
  }

  ping(): void {
    this.#writer.write(FRAME.ping, 0, 0, NO_OPAQUE_DATA);
  }

  pong(opaqueData: Buffer): void {
    this.#writer.write(FRAME.ping, FLAG.ack, 0, opaqueData);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#writer.writeNumber(FRAME.windowUpdate, streamId, bytes);
  }

  reset(streamId: number, code: number): void {
    this.#writer.writeNumber(FRAME.rstStream, streamId, code);
  }

  /** @param why is sent along, for whoever looks into it there. */
  goAway(lastStreamId: number, code: number, why: string): void {
    const payload = Buffer.alloc(8 + Buffer.byteLength(why));
    payload.writeUInt32BE(lastStreamId, 0);
    payload.writeUInt32BE(code, 4);
    payload.write(why, 8);
    this.#writer.write(FRAME.goaway, 0, 0, payload);
  }
}
