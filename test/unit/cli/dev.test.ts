import { describe, expect, it } from 'vitest';
import { devArguments } from '../../../src/cli/dev.ts';
import { parseInvocation } from '../../../src/settings/parse-settings.ts';

describe('concord dev', () => {
  it('runs an etcd of its own whatever the environment says, with debug logs as text', () => {
    const dev = devArguments([], {
      ETCD_ENDPOINTS: 'http://10.0.0.1:2379',
      ETCD_CA: '/none',
      CONCORD_LOG_LEVEL: 'error',
      CONCORD_DATA_DIR: '/var/lib/x',
    });
    if (typeof dev === 'string') throw new Error(dev);
    const invocation = parseInvocation(dev.args, dev.env);
    expect(invocation).toMatchObject({
      kind: 'run',
      settings: { etcdEndpoints: undefined, logLevel: 'debug', logFormat: 'text', dataDir: '.concord' },
    });
  });

  it('lets flags win, but for another etcd', () => {
    const dev = devArguments(['--data-dir=/tmp/x', '--log-level', 'info'], {});
    if (typeof dev === 'string') throw new Error(dev);
    expect(parseInvocation(dev.args, dev.env)).toMatchObject({
      settings: { dataDir: '/tmp/x', logLevel: 'info' },
    });
    expect(devArguments(['--etcd-endpoints=http://10.0.0.1:2379'], {})).toContain(
      'leave out --etcd-endpoints',
    );
  });
});
