import { describe, expect, it } from 'vitest';
import { startEmbeddedEtcd } from '../../../src/embedded/start-embedded-etcd.ts';
import { type BuiltEtcd, buildNewestEtcd, NEWEST_VERSION } from '../../support/build-newest-etcd.ts';
import { findTestEtcd } from '../../support/find-test-etcd.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { createRecordingLog } from '../../support/recording-log.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { getKey, putKey } from './etcd-gateway.ts';

const TIMEOUT_MS = 120_000;
const found: BuiltEtcd = { kind: 'built', ...(await findTestEtcd()) };
const newest = await buildNewestEtcd();

describe.each([
  [found.version, found],
  [NEWEST_VERSION, newest],
] as const)('etcd %s', { timeout: TIMEOUT_MS }, (_, etcd) => {
  if (etcd.kind === 'missing') {
    it(`is not tested here: ${etcd.reason}`, () => expect(etcd.reason).not.toBe(''));
    return;
  }
  const { binary, version } = etcd;

  it('runs embedded, and logs nothing but that it serves', async () => {
    await using temp = await openTempDir();
    const log = createRecordingLog();
    const options = { binary, version, dataDir: temp.path, log, autoCompactionRetention: '1h' };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    {
      await using embedded = await startEmbeddedEtcd(options, { signal });
      await putKey(embedded.endpoint, 'greeting', 'hello');
    }
    expect(log.entries.map(({ message }) => message)).toEqual(['embedded etcd serves']);
  });

  it('keeps what was written when a test kills and restarts it', async () => {
    await using server = await startEtcd({ binary });
    await putKey(server.endpoint, 'greeting', 'hello');
    await server.kill();
    expect(server.isRunning).toBe(false);
    await expect(getKey(server.endpoint, 'greeting')).rejects.toThrow();
    await server.restart();
    expect(await getKey(server.endpoint, 'greeting')).toBe('hello');
  });

  it('runs as a cluster that chooses another leader when the first hangs', async () => {
    await using cluster = await startEtcdCluster(3, { binary });
    const leader = await cluster.leader();
    await putKey(leader.endpoint, 'greeting', 'hello');
    leader.pause();
    const next = await cluster.leader();
    expect(next.endpoint).not.toBe(leader.endpoint);
    expect(await getKey(next.endpoint, 'greeting')).toBe('hello');
    leader.resume();
  });
});
