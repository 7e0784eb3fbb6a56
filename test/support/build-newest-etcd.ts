import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readEtcdVersion } from '../../src/embedded/etcd-binary.ts';
import { runCommand } from '../../src/embedded/run-command.ts';
import { TEST_CACHE } from './find-test-etcd.ts';

/** The newest release that `etcd-go/go.mod` names, and the last ones of the branches before it. */
export const NEWEST_VERSION = '3.7.3';
export const LATEST_3_6 = '3.6.16';
export const LATEST_3_5 = '3.5.35';

/** A binary to run tests on, or why there is none on this machine. */
export type BuiltEtcd =
  | { readonly kind: 'built'; readonly binary: string; readonly version: string }
  | { readonly kind: 'missing'; readonly reason: string };

const SOURCE = fileURLToPath(new URL('etcd-go', import.meta.url));
const BUILD_TIMEOUT_MS = 300_000;

/**
 * Builds etcd from its Go module, once: later calls find it under `.concord/cache`. Takes about 40 s.
 *
 * The folder is not one that `findEtcd` looks in, so a gateway run by hand does not change its etcd after a test run.
 *
 * @param version - the newest is built from the pinned `go.sum`, another one with sums from the module proxy.
 */
export async function buildNewestEtcd(version = NEWEST_VERSION): Promise<BuiltEtcd> {
  const signal = AbortSignal.timeout(BUILD_TIMEOUT_MS);
  const folder = join(TEST_CACHE, `go-etcd-${version}`);
  const binary = join(folder, 'etcd');
  try {
    return { kind: 'built', binary, version: await readEtcdVersion(binary, { signal }) };
  } catch {
    // Not built yet, or not for this machine.
  }
  const work = await mkdtemp(join(tmpdir(), 'concord-etcd-go-'));
  // Beside its place, so that the finished file can be renamed there whole.
  const output = `${binary}.${process.pid}`;
  try {
    await cp(SOURCE, work, { recursive: true });
    // The Go that is there, and no other one fetched for it.
    const go = (...args: readonly string[]): Promise<string> =>
      runCommand('env', ['GOTOOLCHAIN=local', 'GOWORK=off', 'CGO_ENABLED=0', 'go', ...args], {
        signal,
        cwd: work,
        timeoutMs: BUILD_TIMEOUT_MS,
      });
    if (!(await succeeds(go('version'))))
      return { kind: 'missing', reason: 'Go is not installed on this machine' };
    if (version !== NEWEST_VERSION) await chooseVersion(go, work, version);
    await mkdir(folder, { recursive: true });
    await go('build', '-trimpath', '-ldflags=-s -w', '-o', output, '.');
    await rename(output, binary);
    return { kind: 'built', binary, version: await readEtcdVersion(binary, { signal }) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { kind: 'missing', reason: `etcd ${version} cannot be built with Go here: ${why}` };
  } finally {
    await rm(output, { force: true });
    await rm(work, { recursive: true, force: true });
  }
}

async function succeeds(command: Promise<string>): Promise<boolean> {
  return command.then(
    () => true,
    () => false,
  );
}

async function chooseVersion(
  go: (...args: readonly string[]) => Promise<string>,
  work: string,
  version: string,
): Promise<void> {
  await rm(join(work, 'go.mod'));
  await rm(join(work, 'go.sum'));
  await go('mod', 'init', 'concord/test/support/etcd');
  await go('mod', 'edit', `-require=go.etcd.io/etcd/server/v3@v${version}`);
  await go('mod', 'tidy');
}
