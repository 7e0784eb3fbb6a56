// Wakes one who waits for something to happen, and then looks for itself what has.

import type { OperationOptions } from '../store.ts';

/** Rung by many, heard by one: rings that come while nobody listens are heard as one. */
export class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  /** Wakes the one who waits, or spares it the wait. */
  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Resolves when it was rung since the last time. Rejects with the reason of `signal`. */
  async heard({ signal }: OperationOptions): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          this.#wake = undefined;
          resolve();
        };
        signal.addEventListener('abort', wake, { once: true });
        this.#wake = wake;
      });
    }
    signal.throwIfAborted();
    this.#isRung = false;
  }
}
