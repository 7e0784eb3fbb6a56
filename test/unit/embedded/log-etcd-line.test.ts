import { describe, expect, it } from 'vitest';
import { logEtcdLine } from '../../../src/embedded/log-etcd-line.ts';
import { createRecordingLog } from '../../support/recording-log.ts';

describe('logEtcdLine', () => {
  it.each([
    ['warn', 'warn'],
    ['error', 'error'],
    ['fatal', 'error'],
    ['panic', 'error'],
  ])('passes on what etcd logs as %s as %s', (level, ours) => {
    const log = createRecordingLog();
    logEtcdLine(log, JSON.stringify({ level, ts: 'now', caller: 'a.go:1', msg: 'slow disk', took: '2s' }));
    expect(log.entries).toEqual([
      { level: ours, fields: { caller: 'a.go:1', took: '2s' }, message: 'etcd: slow disk' },
    ]);
  });

  it('passes on what is not JSON as it is', () => {
    const log = createRecordingLog();
    logEtcdLine(log, 'panic: oh');
    expect(log.entries).toEqual([{ level: 'warn', fields: { line: 'panic: oh' }, message: 'etcd' }]);
  });
});
