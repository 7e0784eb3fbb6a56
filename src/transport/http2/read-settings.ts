import {
  CODE,
  ConnectionError,
  FRAME_BYTES,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  SETTING,
} from './protocol.ts';

/**
 * Reads a frame of settings (RFC 9113, 6.5.2), and returns the window that streams begin with, in bytes: the last one that it names, or
 * undefined. Of the others none changes what is sent: no frame is larger than everybody takes, and no table of fields is used.
 *
 * Throws a {@link ConnectionError} for a value that cannot be.
 */
export function readSettings(payload: Buffer): number | undefined {
  let streamWindow: number | undefined;
  for (let at = 0; at < payload.length; at += 6) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case SETTING.enablePush:
        if (value > 1) throw new ConnectionError(CODE.protocolError, 'ENABLE_PUSH is 0 or 1');
        break;
      case SETTING.maxFrameSize:
        if (value < FRAME_BYTES || value > MAX_FRAME_BYTES)
          throw new ConnectionError(CODE.protocolError, `MAX_FRAME_SIZE cannot be ${value}`);
        break;
      case SETTING.initialWindowSize:
        if (value > MAX_WINDOW_BYTES)
          throw new ConnectionError(CODE.flowControlError, `INITIAL_WINDOW_SIZE cannot be ${value}`);
        streamWindow = value;
        break;
    }
  }
  return streamWindow;
}
