// Whether calls are served: a linearizable read from etcd works, and the server is not shutting down.

import { DomainError } from '../../domain/errors.ts';
import { singleKey } from '../../domain/key-range.ts';
import type { KeyValueStore } from '../../domain/store.ts';

/** Tells whether calls are served, and when that changes. */
export interface Readiness extends Disposable {
  readonly isReady: boolean;
  /** Why calls are not served, in words. */
  readonly cause: string | undefined;
  /** Asks the store now, and tells the outcome. */
  check(): Promise<boolean>;
  /** Resolves at the next change, or when `signal` aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** Ends readiness for good. */
  drain(): void;
}

/** Who wants to know of each change. */
export type ReadinessListener = (isReady: boolean, cause: string | undefined) => void;

const PROBE_KEY = singleKey(Uint8Array.of(0));
const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 2_000;

/** Starts asking the store every second. Dispose it to stop. */
export function startReadiness(store: KeyValueStore, listener: ReadinessListener): Readiness {
  const waiting = new Set<() => void>();
  let isReady: boolean | undefined;
  let cause: string | undefined = 'etcd was not asked yet';
  let isDraining = false;
  let running: Promise<boolean> | undefined;

  function settle(now: boolean, why: string | undefined): boolean {
    if (isDraining && now) return false;
    cause = why;
    if (now !== isReady) {
      isReady = now;
      listener(now, why);
      for (const wake of waiting) wake();
    }
    return now;
  }

  async function ask(): Promise<boolean> {
    try {
      await store.read(
        { kind: 'read', range: PROBE_KEY, view: 'count' },
        { signal: AbortSignal.timeout(TIMEOUT_MS) },
      );
      return settle(true, undefined);
    } catch (error) {
      // Who may not read this key was told so by a store that answers.
      if (error instanceof DomainError && error.reason === 'STORE_PERMISSION_DENIED')
        return settle(true, undefined);
      return settle(false, causeOf(error));
    }
  }

  function check(): Promise<boolean> {
    running ??= ask().finally(() => {
      running = undefined;
    });
    return running;
  }

  const timer = setInterval(() => void check(), INTERVAL_MS);
  timer.unref();
  return {
    get isReady() {
      return isReady === true;
    },
    get cause() {
      return cause;
    },
    check,
    changed(signal) {
      return new Promise((resolve) => {
        function wake(): void {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        }
        if (signal.aborted) return resolve();
        waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    },
    drain() {
      isDraining = true;
      clearInterval(timer);
      settle(false, 'the server is shutting down');
    },
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

function causeOf(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return `etcd did not answer within ${TIMEOUT_MS} ms`;
  return error instanceof Error ? error.message : String(error);
}
