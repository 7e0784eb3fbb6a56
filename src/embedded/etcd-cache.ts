import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions } from './etcd-binary.ts';

/** A temporary folder that a killed process left behind is removed by a later fetch when it is this old. */
const STALE_AFTER_MS = 60 * 60 * 1000;

/** A binary in the cache, and the version its folder says. */
export interface CachedEtcd {
  readonly path: string;
  readonly version: string;
}

/** The binaries in `<cacheDir>/etcd-<version>/etcd`: the preferred version first, then the newest. */
export async function listCached(cacheDir: string, preferred: string): Promise<readonly CachedEtcd[]> {
  const names = await entriesOf(cacheDir);
  return names
    .filter((name) => name.startsWith('etcd-'))
    .map((name) => ({ path: join(cacheDir, name, 'etcd'), version: name.slice('etcd-'.length) }))
    .sort((a, b) => {
      if (a.version === preferred || b.version === preferred) return a.version === preferred ? -1 : 1;
      return compareVersions(b.version, a.version);
    });
}

/** Moves a binary into the cache, whole or not at all: processes that fetch at once replace each other's by an equal one. */
export async function addToCache(cacheDir: string, binary: string, version: string): Promise<string> {
  const folder = join(cacheDir, `etcd-${version}`);
  const path = join(folder, 'etcd');
  await mkdir(folder, { recursive: true });
  await rename(binary, path);
  return path;
}

/** Removes a cached binary that does not run. */
export async function removeFromCache(cached: CachedEtcd): Promise<void> {
  await rm(cached.path, { force: true });
}

/** A folder for one fetch, inside the cache so that the result can be renamed into place; removed when disposed. */
export async function openFetchFolder(
  cacheDir: string,
): Promise<AsyncDisposable & { readonly path: string }> {
  await mkdir(cacheDir, { recursive: true });
  await removeStale(cacheDir);
  const path = await mkdtemp(join(cacheDir, 'fetch-'));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function removeStale(cacheDir: string): Promise<void> {
  for (const name of await entriesOf(cacheDir)) {
    if (!name.startsWith('fetch-')) continue;
    const path = join(cacheDir, name);
    const changed = await stat(path).catch(() => undefined);
    if (changed !== undefined && Date.now() - changed.mtimeMs > STALE_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** A cache that does not exist yet is an empty one. */
async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
