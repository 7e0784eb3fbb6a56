import { describe, expect, it } from 'vitest';
import { CODE, SETTING } from '../../../../src/transport/http2/protocol.ts';
import { readSettings } from '../../../../src/transport/http2/read-settings.ts';

function settings(...pairs: readonly (readonly [setting: number, value: number])[]): Buffer {
  return Buffer.concat(
    pairs.map(([setting, value]) => {
      const bytes = Buffer.alloc(6);
      bytes.writeUInt16BE(setting, 0);
      bytes.writeUInt32BE(value, 2);
      return bytes;
    }),
  );
}

describe('the settings of a client', () => {
  it('name the window of streams, the last time they do', () => {
    expect(readSettings(settings())).toBeUndefined();
    expect(readSettings(settings([SETTING.maxFrameSize, 16_384], [0xfafa, 2 ** 32 - 1]))).toBeUndefined();
    const twice = settings([SETTING.initialWindowSize, 5], [SETTING.initialWindowSize, 2 ** 31 - 1]);
    expect(readSettings(twice)).toBe(2 ** 31 - 1);
  });

  it.each([
    ['a promise to push of 2', SETTING.enablePush, 2, CODE.protocolError],
    ['frames that are too small', SETTING.maxFrameSize, 16_383, CODE.protocolError],
    ['frames that are too large', SETTING.maxFrameSize, 2 ** 24, CODE.protocolError],
    ['windows that are too large', SETTING.initialWindowSize, 2 ** 31, CODE.flowControlError],
  ])('cannot have %s', (_, setting, value, code) => {
    expect(() => readSettings(settings([setting, value]))).toThrow(expect.objectContaining({ code }));
  });
});
