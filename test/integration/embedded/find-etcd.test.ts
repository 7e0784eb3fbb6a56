import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EtcdNotFoundError, type FindEtcdOptions, findEtcd } from '../../../src/embedded/find-etcd.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { createRecordingLog } from '../../support/recording-log.ts';
import { writeFakeEtcd } from './release-server.ts';

const signal = AbortSignal.timeout(60_000);

/** A machine that has and reaches nothing but what a test gives it. */
function isolated(folder: string): FindEtcdOptions {
  const cacheDir = join(folder, 'cache');
  return {
    cacheDir,
    searchPath: '/nowhere',
    release: false,
    distributionPackage: false,
    log: createRecordingLog(),
  };
}

describe('findEtcd', () => {
  it('takes the set binary before all else', async () => {
    await using temp = await openTempDir();
    const binary = join(temp.path, 'my-etcd');
    await writeFakeEtcd(binary, '3.5.21');
    await writeFakeEtcd(join(temp.path, 'etcd'), '3.6.1');
    const found = await findEtcd({ ...isolated(temp.path), binary, searchPath: temp.path }, { signal });
    expect(found).toEqual({ path: binary, version: '3.5.21', source: 'setting' });
  });

  it('looks no further when the set binary does not run', async () => {
    await using temp = await openTempDir();
    await writeFakeEtcd(join(temp.path, 'etcd'), '3.6.1');
    const options = { ...isolated(temp.path), binary: join(temp.path, 'absent'), searchPath: temp.path };
    await expect(findEtcd(options, { signal })).rejects.toThrow(/the set binary: .*absent/);
  });

  it('takes etcd on PATH before the cache', async () => {
    await using temp = await openTempDir();
    await writeFakeEtcd(join(temp.path, 'etcd'), '3.6.1');
    await mkdir(join(temp.path, 'cache', 'etcd-3.6.14'), { recursive: true });
    await writeFakeEtcd(join(temp.path, 'cache', 'etcd-3.6.14', 'etcd'), '3.6.14');
    const found = await findEtcd({ ...isolated(temp.path), searchPath: temp.path }, { signal });
    expect(found).toEqual({ path: join(temp.path, 'etcd'), version: '3.6.1', source: 'path' });
  });

  it('passes over one on PATH that is too old', async () => {
    await using temp = await openTempDir();
    await writeFakeEtcd(join(temp.path, 'etcd'), '3.3.25');
    const search = findEtcd({ ...isolated(temp.path), searchPath: temp.path }, { signal });
    await expect(search).rejects.toThrow(
      /etcd on PATH: .* is etcd 3\.3\.25; the oldest that works is 3\.4\.0/,
    );
  });

  it('removes a cached one that does not run and goes on to the next', async () => {
    await using temp = await openTempDir();
    const cache = join(temp.path, 'cache');
    for (const version of ['3.6.14', '3.5.21'])
      await mkdir(join(cache, `etcd-${version}`), { recursive: true });
    await writeFakeEtcd(join(cache, 'etcd-3.6.14', 'etcd'), '3.6.14', 'exit 1');
    await writeFakeEtcd(join(cache, 'etcd-3.5.21', 'etcd'), '3.5.21');
    const found = await findEtcd(isolated(temp.path), { signal });
    expect(found).toMatchObject({ version: '3.5.21', source: 'cache' });
    expect(existsSync(join(cache, 'etcd-3.6.14', 'etcd'))).toBe(false);
  });

  it.each([
    ['3.4.23', 1],
    ['3.5.0', 0],
  ])('warns of the version %s %i times', async (version, times) => {
    await using temp = await openTempDir();
    await writeFakeEtcd(join(temp.path, 'etcd'), version);
    const log = createRecordingLog();
    await findEtcd({ ...isolated(temp.path), searchPath: temp.path, log }, { signal });
    const warnings = log.entries.filter(({ level }) => level === 'warn');
    expect(warnings).toHaveLength(times);
    for (const { message } of warnings) expect(message).toContain('past its end of life');
  });

  it('lists each attempt and says what to do when there is none', async () => {
    await using temp = await openTempDir();
    const error: unknown = await findEtcd(isolated(temp.path), { signal }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EtcdNotFoundError);
    expect(error).toMatchObject({
      attempts: [
        'etcd on PATH: not there',
        `cache: nothing that runs in ${join(temp.path, 'cache')}`,
        'release archive: not allowed by the options',
        'distribution package: not allowed by the options',
      ],
      message: expect.stringMatching(/ETCD_ENDPOINTS.*CONCORD_ETCD_BINARY/),
    });
  });

  it('names Homebrew on macOS', async () => {
    await using temp = await openTempDir();
    const options = { ...isolated(temp.path), release: { platform: 'darwin' as const } };
    await expect(findEtcd(options, { signal })).rejects.toThrow(
      /no checksum of etcd .* for darwin.*brew install etcd/s,
    );
  });
});
