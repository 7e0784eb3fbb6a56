import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { EmbeddedLog } from './embedded-log.ts';
import { identifyProcess, isAlive, type ProcessIdentity, readCommandLine } from './process-identity.ts';

/** The right to run an etcd on a data directory, held by this process until released or dead. */
export interface DataDirClaim {
  /** Notes the etcd that runs on it now, so that a later start can end it should this process and its etcd part. */
  record(etcd: RecordedEtcd): Promise<void>;
  /** Gives the directory free. Idempotent. */
  release(): Promise<void>;
}

/** The etcd of a data directory, as noted in `etcd.pid`. */
export interface RecordedEtcd {
  readonly pid: number;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly binary: string;
  /** etcd's own data directory, as on its command line. */
  readonly dataDir: string;
}

/** Another live process runs etcd on this data directory. */
export class DataDirInUseError extends Error {
  readonly dataDir: string;
  readonly ownerPid: number;

  constructor(dataDir: string, ownerPid: number) {
    super(
      `data directory ${dataDir} is in use by process ${ownerPid}; stop that process, or choose another directory`,
    );
    this.name = 'DataDirInUseError';
    this.dataDir = dataDir;
    this.ownerPid = ownerPid;
  }
}

/** The content of `etcd.pid`: who owns the directory, and which etcd runs on it. */
interface PidFile {
  readonly owner: ProcessIdentity;
  readonly etcd?: RecordedEtcd & { readonly startTime: string };
}

/** What of a recorded etcd is needed to end it. */
interface Orphan extends ProcessIdentity {
  readonly dataDir: string;
}

const LOCK_WAIT_MS = 10_000;
const POLL_MS = 20;
const TERMINATE_MS = 5_000;

/**
 * Claims a data directory by writing `<dataDir>/etcd.pid`; makes the directory when it is missing.
 *
 * When its owner has died and left an etcd behind, that etcd is ended first. It is recognised by its pid, its start
 * time and a command line with its directory in it, so that no other process can be hit.
 *
 * This keeps two of our processes apart on one machine. What it cannot see (another machine or container on the same
 * volume) is kept out by etcd itself, which locks its database file.
 *
 * @throws {@link DataDirInUseError}
 */
export async function claimDataDir(
  dataDir: string,
  log: EmbeddedLog,
  { signal }: { signal: AbortSignal },
): Promise<DataDirClaim> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, 'etcd.pid');
  const owner = await identifyProcess(process.pid, { signal });
  if (owner === undefined) throw new Error('cannot read the start time of this process');
  await using _ = await lock(`${file}.lock`, owner, { signal });

  const previous = await readPidFile(file);
  if (previous !== undefined) {
    if (await isAlive(previous.owner, { signal })) throw new DataDirInUseError(dataDir, previous.owner.pid);
    if (previous.etcd !== undefined) await endOrphan(previous.etcd, log, { signal });
  }
  await writePidFile(file, { owner });

  let isReleased = false;
  return {
    async record(etcd) {
      const identity = await identifyProcess(etcd.pid, { signal: new AbortController().signal });
      if (identity === undefined || isReleased) return;
      await writePidFile(file, { owner, etcd: { ...etcd, startTime: identity.startTime } });
    },
    async release() {
      if (isReleased) return;
      isReleased = true;
      await rm(file, { force: true });
    },
  };
}

async function endOrphan(
  orphan: Orphan,
  log: EmbeddedLog,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  if (!(await isAlive(orphan, { signal }))) return;
  const commandLine = await readCommandLine(orphan.pid, { signal });
  if (commandLine?.includes(orphan.dataDir) !== true) return;
  log.warn(orphan, 'ending the etcd that a killed process left on this data directory');
  for (const verb of ['SIGTERM', 'SIGKILL'] as const) {
    sendSignal(orphan.pid, verb);
    const deadline = Date.now() + TERMINATE_MS;
    while (Date.now() < deadline) {
      if (!(await isAlive(orphan, { signal }))) return;
      await delay(POLL_MS, undefined, { signal });
    }
  }
  throw new Error(`process ${orphan.pid}, an etcd on ${orphan.dataDir}, does not end`);
}

/** A process that has gone in the meantime (ESRCH) is what was wanted. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

/** Held while `etcd.pid` is read and replaced; one left by a process that died meanwhile is removed. */
async function lock(
  file: string,
  owner: ProcessIdentity,
  { signal }: { signal: AbortSignal },
): Promise<AsyncDisposable> {
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      await writeFile(file, JSON.stringify(owner), { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    const holder = parseIdentity(await readJson(file));
    if (holder !== undefined && !(await isAlive(holder, { signal }))) await rm(file, { force: true });
    else if (Date.now() > deadline)
      throw new Error(`${file} stays locked; remove it when no process uses it`);
    else await delay(POLL_MS, undefined, { signal });
  }
  return {
    async [Symbol.asyncDispose]() {
      await rm(file, { force: true });
    },
  };
}

async function writePidFile(file: string, content: PidFile): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  await rename(temporary, file);
}

/** Undefined when there is no such file, or none that we wrote. */
async function readPidFile(
  file: string,
): Promise<{ readonly owner: ProcessIdentity; readonly etcd: Orphan | undefined } | undefined> {
  const content = await readJson(file);
  if (!isRecord(content)) return undefined;
  const owner = parseIdentity(content['owner']);
  return owner === undefined ? undefined : { owner, etcd: parseOrphan(content['etcd']) };
}

function parseOrphan(value: unknown): Orphan | undefined {
  const identity = parseIdentity(value);
  if (identity === undefined || !isRecord(value)) return undefined;
  const { dataDir } = value;
  return typeof dataDir === 'string' ? { ...identity, dataDir } : undefined;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseIdentity(value: unknown): ProcessIdentity | undefined {
  if (!isRecord(value)) return undefined;
  const { pid, startTime } = value;
  return typeof pid === 'number' && typeof startTime === 'string' ? { pid, startTime } : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
