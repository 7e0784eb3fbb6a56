import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { architectureLine } from './etcd-binary.ts';

/** How an etcd ended. */
export interface EtcdExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One running etcd that ends with this process, however this process ends. */
export interface EtcdProcess {
  readonly pid: number;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<EtcdExit>;
  hasExited(): boolean;
  /** Does nothing to one that has ended. What is written from now on is not followed: an end has many warnings. */
  kill(signal: NodeJS.Signals): void;
  /** Passes on each line that it writes to stderr from now on. */
  follow(onLine: (line: string) => void): void;
  /** The last lines it wrote to stderr, oldest first, at most 40 of 500 characters. */
  lastLines(): readonly string[];
}

const KEPT_LINES = 40;
const KEPT_CHARACTERS = 500;

/**
 * What runs before etcd takes the shell's place, so that the pid, the exit code and the signals are etcd's own.
 *
 * A second process reads a pipe that only our process holds the other end of. "done" means that etcd has ended. An end
 * without it means that our process has died, even by SIGKILL: then etcd is terminated, and killed 5 s later. While
 * this second process lives, it belongs to the group with etcd's pid, so the system gives that pid to no other process.
 *
 * etcd reads its flags from `ETCD_*` variables too; those of our environment are meant for us.
 */
const LAUNCHER = `
for name in $(env | sed -n 's/^\\(ETCD_[A-Za-z0-9_]*\\)=.*/\\1/p'); do unset "$name"; done
${architectureLine()}
etcd=$$
(
  read -r word <&3 && exit 0
  kill -TERM $etcd
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.5
    kill -0 $etcd || exit 0
  done
  kill -KILL $etcd
) </dev/null >/dev/null 2>&1 &
exec "$@" 3<&-
`;

/**
 * Starts etcd in a session of its own: a terminal's Ctrl-C, which goes to a whole process group, does not reach it, so
 * that its owner can drain first.
 *
 * @throws Error when the shell cannot be started. A binary that does not run ends at once with code 126 or 127.
 */
export function spawnEtcd(binary: string, args: readonly string[]): EtcdProcess {
  const child = spawn('sh', ['-c', LAUNCHER, 'sh', binary, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const { pid, stderr } = child;
  const watcher = child.stdio[3];
  if (pid === undefined || stderr === null || !(watcher instanceof Writable)) {
    child.on('error', () => {});
    throw new Error('cannot start etcd: there is no sh to start it with');
  }
  // A launcher that is gone already closes the pipe first; there is nobody left to tell.
  watcher.on('error', () => {});

  const lines: string[] = [];
  let onLine: ((line: string) => void) | undefined;
  createInterface({ input: stderr }).on('line', (text) => {
    onLine?.(text);
    // In the stack trace of a panic, the positions are indented.
    if (text.startsWith('\t')) return;
    lines.push(text.slice(0, KEPT_CHARACTERS));
    if (lines.length > KEPT_LINES) lines.shift();
  });

  let ended = false;
  const { promise: exited, resolve } = Promise.withResolvers<EtcdExit>();
  child.on('exit', () => {
    ended = true;
    watcher.end('done\n');
  });
  child.on('close', (code, signal) => resolve({ code, signal }));

  return {
    pid,
    exited,
    hasExited: () => ended,
    follow(follower) {
      onLine = follower;
    },
    kill(signal) {
      onLine = undefined;
      if (!ended) child.kill(signal);
    },
    lastLines: () => [...lines],
  };
}

/** Asks an etcd to end, and ends it when it has not within `graceMs`. A paused one (SIGSTOP) is woken. */
export async function terminateEtcd(etcd: EtcdProcess, graceMs = 5_000): Promise<EtcdExit> {
  etcd.kill('SIGTERM');
  etcd.kill('SIGCONT');
  const timer = setTimeout(() => etcd.kill('SIGKILL'), graceMs);
  try {
    return await etcd.exited;
  } finally {
    clearTimeout(timer);
  }
}
