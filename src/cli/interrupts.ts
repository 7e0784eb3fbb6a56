import { constants } from 'node:os';

/** What asks the command to end. */
export type InterruptName = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const NAMES: readonly InterruptName[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The signals that ask the command to end; disposing leaves them to the system again. */
export interface Interrupts extends Disposable {
  /** Aborts at the first one. */
  readonly signal: AbortSignal;
  /** Resolves with the first one. */
  readonly first: Promise<InterruptName>;
}

/** Takes the signals that would end the process. The first is told; the second ends the process at once. */
export function takeInterrupts(): Interrupts {
  const controller = new AbortController();
  const { promise: first, resolve } = Promise.withResolvers<InterruptName>();
  const listeners = NAMES.map((name) => {
    const listener = (): void => {
      if (controller.signal.aborted) process.exit(signalExitCode(name));
      controller.abort(new Error(`stopped by ${name}`));
      resolve(name);
    };
    process.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    first,
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}

/** The exit code of a process that a signal ended, as shells have it. */
export function signalExitCode(name: NodeJS.Signals): number {
  return 128 + (constants.signals[name] ?? 0);
}
