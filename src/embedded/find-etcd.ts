import { isAbsolute, resolve } from 'node:path';
import { PINNED_VERSION } from './checksums.ts';
import { fetchDistributionPackage } from './distribution-package.ts';
import type { EmbeddedLog } from './embedded-log.ts';
import { compareVersions, readEtcdVersion } from './etcd-binary.ts';
import { addToCache, listCached, openFetchFolder, removeFromCache } from './etcd-cache.ts';
import { fetchReleaseArchive, type ReleaseArchiveOptions } from './release-archive.ts';
import { runCommand } from './run-command.ts';

/** Where etcd is looked for, and from where it may be fetched. */
export interface FindEtcdOptions {
  /** A path to use and nothing else. @default undefined: look and fetch */
  readonly binary?: string | undefined;
  /** The folder that fetched binaries are kept in, made when missing. */
  readonly cacheDir: string;
  readonly log: EmbeddedLog;
  /** Folders to look in, with `:` between them. @default the process's PATH */
  readonly searchPath?: string | undefined;
  /** The release archive. @default the pinned version from github.com; `false`: not tried */
  readonly release?: ReleaseArchiveOptions | false | undefined;
  /** Whether the distribution's package may be fetched with apt-get. @default true */
  readonly distributionPackage?: boolean | undefined;
}

/** An etcd that runs on this machine. */
export interface FoundEtcd {
  /** Absolute. */
  readonly path: string;
  /** Such as `3.6.14`. */
  readonly version: string;
  readonly source: 'setting' | 'path' | 'cache' | 'archive' | 'package';
}

/** No etcd was found and none could be fetched; `attempts` says in a line each what was tried. */
export class EtcdNotFoundError extends Error {
  readonly attempts: readonly string[];

  constructor(attempts: readonly string[], platform: NodeJS.Platform, cause?: unknown) {
    const tried = attempts.map((attempt) => `  - ${attempt}`).join('\n');
    super(`no etcd to run:\n${tried}\n${adviceFor(platform)}`, { cause });
    this.name = 'EtcdNotFoundError';
    this.attempts = attempts;
  }
}

/**
 * Finds an etcd: the set path; else `etcd` on PATH; else the cache; else it is fetched into the cache, as a release
 * archive with a pinned checksum, or as the distribution's package.
 *
 * A cached binary that does not run is removed and fetched anew. Processes that fetch at once do not disturb each
 * other. Warns once when what was found is etcd 3.4.
 *
 * @throws {@link EtcdNotFoundError} that lists every attempt and says what to do.
 */
export async function findEtcd(
  options: FindEtcdOptions,
  { signal }: { signal: AbortSignal },
): Promise<FoundEtcd> {
  const attempts: string[] = [];
  const found = await search(options, attempts, signal);
  const { path, version, source } = found;
  options.log.info({ path, version, source, attempts }, 'found etcd');
  if (compareVersions(version, '3.5.0') < 0) {
    options.log.warn(
      { path, version },
      `etcd ${version} is past its end of life and has known watch bugs; install etcd 3.5 or newer`,
    );
  }
  return found;
}

/** @param attempts - is added a line for each attempt that fails. */
async function search(options: FindEtcdOptions, attempts: string[], signal: AbortSignal): Promise<FoundEtcd> {
  const platform = (options.release === false ? undefined : options.release?.platform) ?? process.platform;
  const attempt = async (what: string, run: () => Promise<FoundEtcd>): Promise<FoundEtcd | undefined> => {
    try {
      return await run();
    } catch (error) {
      signal.throwIfAborted();
      attempts.push(`${what}: ${messageOf(error)}`);
      return undefined;
    }
  };

  if (options.binary !== undefined) {
    const path = resolve(options.binary);
    const set = await attempt('the set binary', () => verify(path, 'setting', signal));
    if (set === undefined) throw new EtcdNotFoundError(attempts, platform);
    return set;
  }
  const found =
    (await attempt('etcd on PATH', () => findOnPath(options.searchPath, signal))) ??
    (await attempt('cache', () => findInCache(options, signal))) ??
    (await attempt('release archive', () => fetchFromRelease(options, signal))) ??
    (await attempt('distribution package', () => fetchFromDistribution(options, signal)));
  if (found === undefined) throw new EtcdNotFoundError(attempts, platform);
  return found;
}

async function verify(path: string, source: FoundEtcd['source'], signal: AbortSignal): Promise<FoundEtcd> {
  return { path, version: await readEtcdVersion(path, { signal }), source };
}

async function findOnPath(searchPath: string | undefined, signal: AbortSignal): Promise<FoundEtcd> {
  const script = searchPath === undefined ? 'command -v etcd' : 'PATH=$1; command -v etcd';
  const path = await runCommand('sh', ['-c', script, 'sh', searchPath ?? ''], { signal }).then(
    (output) => output.trim(),
    () => '',
  );
  signal.throwIfAborted();
  if (!isAbsolute(path)) throw new Error('not there');
  return verify(path, 'path', signal);
}

async function findInCache(options: FindEtcdOptions, signal: AbortSignal): Promise<FoundEtcd> {
  const release = options.release === false ? undefined : options.release;
  const cached = await listCached(resolve(options.cacheDir), release?.version ?? PINNED_VERSION);
  const broken: string[] = [];
  for (const candidate of cached) {
    try {
      return await verify(candidate.path, 'cache', signal);
    } catch (error) {
      signal.throwIfAborted();
      options.log.warn({ path: candidate.path, error }, 'removing a cached etcd that does not run');
      await removeFromCache(candidate);
      broken.push(messageOf(error));
    }
  }
  throw new Error(['nothing that runs in', options.cacheDir, ...broken].join(' '));
}

async function fetchFromRelease(options: FindEtcdOptions, signal: AbortSignal): Promise<FoundEtcd> {
  const { release = {} } = options;
  if (release === false) throw new Error('not allowed by the options');
  return fetchInto(options, 'archive', (folder) => fetchReleaseArchive(folder, release, { signal }), signal);
}

async function fetchFromDistribution(options: FindEtcdOptions, signal: AbortSignal): Promise<FoundEtcd> {
  if (options.distributionPackage === false) throw new Error('not allowed by the options');
  return fetchInto(options, 'package', (folder) => fetchDistributionPackage(folder, { signal }), signal);
}

async function fetchInto(
  { cacheDir, log }: FindEtcdOptions,
  source: 'archive' | 'package',
  fetchBinary: (folder: string) => Promise<string>,
  signal: AbortSignal,
): Promise<FoundEtcd> {
  log.info({ source }, 'no etcd on this machine yet: fetching one');
  await using folder = await openFetchFolder(resolve(cacheDir));
  const { path, version } = await verify(await fetchBinary(folder.path), source, signal);
  return { path: await addToCache(resolve(cacheDir), path, version), version, source };
}

function adviceFor(platform: NodeJS.Platform): string {
  const install =
    platform === 'darwin'
      ? '`brew install etcd`'
      : platform === 'linux'
        ? '`apt-get install etcd-server` (Debian, Ubuntu) or your package manager’s etcd'
        : 'your package manager’s etcd';
  return `Install etcd: ${install}; or set ETCD_ENDPOINTS to a running etcd, or CONCORD_ETCD_BINARY to a binary.`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
