import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEtcdVersion } from '../../../src/embedded/etcd-binary.ts';
import { findEtcd } from '../../../src/embedded/find-etcd.ts';
import { runCommand } from '../../../src/embedded/run-command.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { createRecordingLog } from '../../support/recording-log.ts';

const TIMEOUT_MS = 240_000;
const signal = AbortSignal.timeout(TIMEOUT_MS);

const hasApt = await runCommand('sh', ['-c', 'command -v apt-get'], { signal }).then(
  () => true,
  () => false,
);

describe('the distribution’s package', () => {
  it(
    hasApt ? 'is unpacked into the cache without being installed' : 'is reported as missing without apt-get',
    async () => {
      await using temp = await openTempDir();
      const cacheDir = join(temp.path, 'cache');
      const options = {
        cacheDir,
        searchPath: '/nowhere',
        release: false as const,
        log: createRecordingLog(),
      };
      if (!hasApt) {
        const message = 'distribution package: there is no apt-get on this machine';
        await expect(findEtcd(options, { signal })).rejects.toThrow(message);
        return;
      }
      const found = await findEtcd(options, { signal });
      expect(found.source).toBe('package');
      expect(found.path).toBe(join(cacheDir, `etcd-${found.version}`, 'etcd'));
      expect(await readEtcdVersion(found.path, { signal })).toBe(found.version);
      expect(await readdir(cacheDir)).toEqual([`etcd-${found.version}`]);
    },
    TIMEOUT_MS,
  );
});
