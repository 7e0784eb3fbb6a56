import { describe, expect, it } from 'vitest';
import { createOutput, type Stream, shown } from '../../../src/cli/output.ts';
import { progressLine, showProgress } from '../../../src/cli/progress.ts';

const ESCAPE = '\u001b';

describe('the output', () => {
  it('has colours on a terminal alone, and there unless they are unwanted', async () => {
    expect(await titlesOn({ isTTY: true })).toContain(ESCAPE);
    expect(await titlesOn({ isTTY: false })).not.toContain(ESCAPE);
    expect(await titlesOn({ isTTY: true, hasColor: false })).not.toContain(ESCAPE);
  });

  it('cuts tables on a terminal alone', async () => {
    expect(await titlesOn({ isTTY: true, hasColor: false, columns: 20 })).toContain('…');
    expect(await titlesOn({ isTTY: false, columns: 20 })).not.toContain('…');
  });

  it('shows bytes that are no text in base64, and text without control characters', () => {
    expect(shown('', new Uint8Array([0, 255]))).toBe('base64:AP8=');
    expect(shown('a\tb', new Uint8Array())).toBe('a\\tb');
  });

  it('fails where the reader went away', async () => {
    const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    const stdout = fakeStream({ error: gone });
    const output = createOutput({ stdout, stderr: fakeStream({}), isJson: false, hasColor: true });
    await expect(output.line('x')).rejects.toBe(gone);
  });
});

describe('the progress bar', () => {
  it('moves to and fro, and is narrower than the terminal', () => {
    const frames = Array.from({ length: 60 }, (_, at) => progressLine('importing', at * 120, 80));
    expect(frames[0]).toBe('importing [======              ] 0s');
    expect(new Set(frames.map((frame) => frame.indexOf('='))).size).toBe(15);
    expect(progressLine('importing', 0, 20)).toHaveLength(19);
  });

  it('is gone before anything else is printed, and is not there for what is soon done', async () => {
    const stderr = fakeStream({ isTTY: true });
    expect(await showProgress('importing', Promise.resolve(1), stderr)).toBe(1);
    expect(stderr.written()).toBe('');
    const work = new Promise((resolve) => setTimeout(() => resolve(2), 1_000));
    expect(await showProgress('importing', work, stderr)).toBe(2);
    expect(stderr.written()).toMatch(new RegExp(`^\\rimporting \\[[\\s\\S]*\\r${ESCAPE}\\[K$`));
  });

  it('is nothing where standard error is no terminal', async () => {
    expect(await showProgress('importing', Promise.resolve(1), undefined)).toBe(1);
  });
});

async function titlesOn({
  isTTY,
  hasColor = true,
  columns = 80,
}: {
  readonly isTTY: boolean;
  readonly hasColor?: boolean;
  readonly columns?: number;
}): Promise<string> {
  const stdout = fakeStream({ isTTY, columns });
  const output = createOutput({ stdout, stderr: fakeStream({}), isJson: false, hasColor });
  await output.table([{ title: 'NAME', text: (name: string) => name }], ['x'.repeat(60)]);
  return stdout.written();
}

function fakeStream({
  isTTY = false,
  columns = 80,
  error,
}: {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly error?: Error;
}): Stream & { readonly written: () => string } {
  let text = '';
  const write = (data: string | Uint8Array, done?: (error?: Error | null) => void): boolean => {
    text += String(data);
    done?.(error);
    return true;
  };
  return { isTTY, columns, write, written: () => text } as Stream & { readonly written: () => string };
}
