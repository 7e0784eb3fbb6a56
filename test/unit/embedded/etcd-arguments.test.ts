import { describe, expect, it } from 'vitest';
import { etcdArguments } from '../../../src/embedded/etcd-arguments.ts';

const settings = { dataDir: '/data/etcd', host: '127.0.0.1', clientPort: 23790, peerPort: 23800 };
const flag = '--watch-progress-notify-interval';

describe('etcdArguments', () => {
  it('listens nowhere but on the given host and ports', () => {
    const urls = etcdArguments(settings, flag).filter((argument) => argument.includes('urls'));
    expect(urls).toEqual([
      '--listen-client-urls=http://127.0.0.1:23790',
      '--advertise-client-urls=http://127.0.0.1:23790',
      '--listen-peer-urls=http://127.0.0.1:23800',
      '--initial-advertise-peer-urls=http://127.0.0.1:23800',
    ]);
  });

  it('keeps all revisions and syncs to disk, unless told otherwise', () => {
    const text = etcdArguments(settings, flag).join(' ');
    expect(text).not.toMatch(/compaction|fsync|quota|enable-v2/);
  });

  it('puts further flags last, so that they win', () => {
    const more = { autoCompactionRetention: '1h', unsafeNoFsync: true, extraArguments: ['--name=other'] };
    expect(etcdArguments({ ...settings, ...more }, flag).slice(-4)).toEqual([
      '--auto-compaction-mode=periodic',
      '--auto-compaction-retention=1h',
      '--unsafe-no-fsync',
      '--name=other',
    ]);
  });

  it.each([flag, '--experimental-watch-progress-notify-interval'] as const)(
    'asks for progress by %s',
    (name) => {
      expect(etcdArguments(settings, name)).toContain(`${name}=10s`);
    },
  );

  it('puts an IPv6 address in brackets', () => {
    const all = etcdArguments({ ...settings, host: '::1' }, flag);
    expect(all).toContain('--listen-client-urls=http://[::1]:23790');
  });
});
