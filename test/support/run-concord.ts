// support: the gateway as people run it, in a process of its own.

import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { findTestEtcd } from './find-test-etcd.ts';
import { openTempDir } from './open-temp-dir.ts';

/** How a gateway is run. */
export interface ConcordOptions {
  /** Flags. @default none */
  readonly args?: readonly string[] | undefined;
  /**
   * Settings by their names in the environment; nothing else of this process's environment but PATH and HOME is passed
   * on. @default port 0 of 127.0.0.1, the etcd binary of the tests, and a minute for a call that brings no deadline
   */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** @default a temporary one, removed when the process is disposed */
  readonly dataDir?: string | undefined;
  /** The folder that holds `src/main.js`. @default this repository */
  readonly cwd?: string | undefined;
}

/** How a process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A gateway's process; disposing ends it, the etcd that it runs included. */
export interface ConcordProcess extends AsyncDisposable {
  readonly pid: number;
  readonly dataDir: string;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves with the addresses in its banner as soon as it has written it; rejects where it ends before. */
  readonly listening: Promise<readonly string[]>;
  /** Resolves when it has ended and all that it wrote is there. */
  readonly exited: Promise<ProcessExit>;
  signal(name: NodeJS.Signals): void;
}

/** A gateway that has said where it listens. */
export interface RunningConcord extends ConcordProcess {
  /** The first of `urls`. */
  readonly url: string;
  /** Such as `http://127.0.0.1:41234`, one for each listener. */
  readonly urls: readonly string[];
}

/** This repository. */
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** The Node.js that is pinned in package.json. */
export const PINNED_NODE = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));

const STOP_TIMEOUT_MS = 5_000;

/** Starts the process. It may well end by itself: `exited` tells. */
export async function spawnConcord(options: ConcordOptions = {}): Promise<ConcordProcess> {
  const { args = [], env = {}, cwd = REPOSITORY } = options;
  const { binary } = await findTestEtcd();
  const dataDir = options.dataDir ?? (await openTempDir()).path;
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(PINNED_NODE, ['src/main.js', ...args], {
    cwd,
    env: {
      PATH,
      HOME,
      CONCORD_LISTEN: '127.0.0.1:0',
      CONCORD_DATA_DIR: dataDir,
      CONCORD_ETCD_BINARY: binary,
      CONCORD_REQUEST_TIMEOUT: '1m',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${PINNED_NODE} cannot be started`);
  const output = { stdout: '', stderr: '' };
  const banner = Promise.withResolvers<readonly string[]>();
  // Who waits for its end alone does not look at it.
  banner.promise.catch(() => {});
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
    const urls = readListeners(output.stdout);
    if (urls !== undefined) banner.resolve(urls);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const { promise: exited, resolve } = Promise.withResolvers<ProcessExit>();
  child.on('close', (code, signal) => {
    resolve({ code, signal });
    banner.reject(new Error(`it ended with code ${code} before it listened:\n${output.stderr}`));
  });
  return {
    pid,
    dataDir,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    listening: banner.promise,
    exited,
    signal: (name) => void child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      // Its etcd ends with it, also when it is killed.
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** Starts the process and waits for its banner. Throws, with what it wrote, where it ends before. */
export async function runConcord(options: ConcordOptions = {}): Promise<RunningConcord> {
  const concord = await spawnConcord(options);
  try {
    const urls = await concord.listening;
    const [url] = urls;
    if (url === undefined) throw new Error(`no listener in its banner:\n${concord.stdout}`);
    return extend(concord, { url, urls });
  } catch (error) {
    await concord[Symbol.asyncDispose]();
    throw error;
  }
}

/** The addresses in a banner; undefined while it is not there as a whole. */
function readListeners(text: string): readonly string[] | undefined {
  // The command to try comes last.
  if (!/^ +try [\s\S]*\n$/m.test(text)) return undefined;
  return [...text.matchAll(/^ +listening +(\S+)$/gm)].flatMap(([, url]) => url ?? []);
}

/** Adds to an object and keeps its getters. */
function extend<T extends object, U extends object>(object: T, more: U): T & U {
  return Object.defineProperties(object, Object.getOwnPropertyDescriptors(more)) as T & U;
}
