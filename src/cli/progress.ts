import type { Stream } from './output.ts';

const FRAME_MS = 120;
const BAR = 20;
const BLOCK = 6;
/** What is over sooner needs none. */
const FIRST_FRAME_MS = 500;

/**
 * Waits for what is under way, and shows meanwhile that it is, and for how long already. How much is left is not known: the bar moves to and
 * fro. Shows nothing where `stream` is undefined.
 */
export async function showProgress<T>(
  title: string,
  work: Promise<T>,
  stream: Stream | undefined,
): Promise<T> {
  if (stream === undefined) return work;
  const startMs = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs < FIRST_FRAME_MS) return;
    isShown = true;
    stream.write(`\r${progressLine(title, elapsedMs, stream.columns ?? 80)}`);
  }, FRAME_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (isShown) stream.write('\r\u001b[K');
  }
}

/** One frame, no wider than the terminal. */
export function progressLine(title: string, elapsedMs: number, width: number): string {
  const range = BAR - BLOCK;
  const phase = Math.floor(elapsedMs / FRAME_MS) % (2 * range);
  const at = phase < range ? phase : 2 * range - phase;
  const bar = `[${' '.repeat(at)}${'='.repeat(BLOCK)}${' '.repeat(range - at)}]`;
  return `${title} ${bar} ${Math.floor(elapsedMs / 1_000)}s`.slice(0, Math.max(0, width - 1));
}
