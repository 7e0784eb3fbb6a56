// The command after `--`, as a process group of its own.
// What is sent to us goes on to it, so that it ends as if it ran by itself; its group ends whole.

import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { signalExitCode } from './interrupts.ts';

/** A command that runs. */
export interface Child {
  /** Resolves with its exit code: 128 and the signal's number where one ended it, 127 and 126 where it cannot be run. */
  readonly exited: Promise<number>;
  /** Ends its process group: SIGTERM, and SIGKILL for what is left after `graceMs`. @param graceMs default 5,000 */
  terminate(graceMs?: number): Promise<void>;
}

/** What a command is run with. */
export interface ChildOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is told, in words, why the command cannot be run. */
  readonly onUnrunnable: (message: string) => void;
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGWINCH'] as const;
const KILL_AFTER_MS = 5_000;
const POLL_MS = 50;

/** Starts a command on the standard input, output and error of this process. */
export function startChild(command: readonly string[], { env, onUnrunnable }: ChildOptions): Child {
  const [program = '', ...args] = command;
  // A group of its own is a session of its own as well: what is typed on a terminal reaches it through us, once.
  const child = spawn(program, args, { stdio: 'inherit', detached: true, env });
  const signalGroup = (name: NodeJS.Signals | 0): boolean => {
    if (child.pid === undefined) return false;
    try {
      return process.kill(-child.pid, name);
    } catch {
      // The group is gone.
      return false;
    }
  };
  const stopForwarding = forwardSignals(signalGroup);
  const { promise: exited, resolve } = Promise.withResolvers<number>();
  child.on('error', (error: NodeJS.ErrnoException) => {
    onUnrunnable(
      `${program} cannot be run: ${error.code === 'ENOENT' ? 'there is no such command' : error.message}`,
    );
    resolve(error.code === 'ENOENT' ? 127 : 126);
  });
  child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : signalExitCode(signal)));
  void exited.then(stopForwarding);
  return {
    exited,
    async terminate(graceMs = KILL_AFTER_MS) {
      const deadline = performance.now() + graceMs;
      signalGroup('SIGTERM');
      // One that is stopped would not see it.
      signalGroup('SIGCONT');
      while (signalGroup(0) && performance.now() < deadline) await delay(POLL_MS);
      signalGroup('SIGKILL');
      await exited;
    },
  };
}

/** Hands on what this process is sent; stopping it, as Ctrl-Z does, stops the group first. Returns what ends that. */
function forwardSignals(signalGroup: (name: NodeJS.Signals) => boolean): () => void {
  const listeners = FORWARDED.map((name) => [name, () => void signalGroup(name)] as const);
  const all: readonly (readonly [NodeJS.Signals, () => void])[] = [
    ...listeners,
    [
      'SIGTSTP',
      () => {
        signalGroup('SIGSTOP');
        process.kill(process.pid, 'SIGSTOP');
      },
    ],
    ['SIGCONT', () => void signalGroup('SIGCONT')],
  ];
  for (const [name, listener] of all) process.on(name, listener);
  return () => {
    for (const [name, listener] of all) process.off(name, listener);
  };
}
