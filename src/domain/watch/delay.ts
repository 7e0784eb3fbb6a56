import type { Clock } from '../clock.ts';
import type { OperationOptions } from '../store.ts';

/** Resolves after so long, or as soon as the signal is aborted. */
export function delay(clock: Clock, ms: number, { signal }: OperationOptions): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      cancelTimer();
      signal.removeEventListener('abort', goOn);
      resolve();
    };
    const cancelTimer = clock.after(ms, goOn);
    signal.addEventListener('abort', goOn, { once: true });
    if (signal.aborted) goOn();
  });
}
