import { fileURLToPath } from 'node:url';
import { readEtcdVersion } from '../../src/embedded/etcd-binary.ts';
import { findEtcd } from '../../src/embedded/find-etcd.ts';

/** The folder that binaries are kept in from one test run to the next. */
export const TEST_CACHE = fileURLToPath(new URL('../../.concord/cache', import.meta.url));

const FIND_TIMEOUT_MS = 180_000;
const silent = { info() {}, warn() {}, error() {} };

/** The etcd that tests run on: the given one, else `CONCORD_TEST_ETCD`, else one found or fetched into the cache. */
export async function findTestEtcd(
  binary: string | undefined = process.env['CONCORD_TEST_ETCD'],
): Promise<{ readonly binary: string; readonly version: string }> {
  const signal = AbortSignal.timeout(FIND_TIMEOUT_MS);
  if (binary) return { binary, version: await readEtcdVersion(binary, { signal }) };
  const { path, version } = await findEtcd({ cacheDir: TEST_CACHE, log: silent }, { signal });
  return { binary: path, version };
}
