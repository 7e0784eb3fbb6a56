import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { WatchRequestSchema } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import type { ConfigService } from '../../../src/domain/config/config-service.ts';
import type { ConfigWatchQuery } from '../../../src/domain/config/watch-config.ts';
import { DomainError } from '../../../src/domain/errors.ts';
import { createConfigWatchHandler } from '../../../src/rpc/config/config-watch-handler.ts';
import { FakeClock } from '../watch/fake-clock.ts';

/** A handler whose watches send one message and then end with an error, and what it asked of the domain. */
function createEnding(error: Error) {
  const starts: ConfigWatchQuery['start'][] = [];
  let openCount = 0;
  const config: Pick<ConfigService, 'watch' | 'subscribe'> = {
    async *watch({ start }) {
      starts.push(start);
      yield { kind: 'synced', revision: 5n };
      throw error;
    },
    subscribe(_, id) {
      openCount++;
      return { id, isKnown: Promise.resolve(), sent() {}, close: () => void openCount-- };
    },
  };
  const handler = createConfigWatchHandler({
    config: config as ConfigService,
    keys: createConfigKeys('/config'),
    source: { clusterId: async () => 1n },
    clock: new FakeClock(),
    reveal: () => false,
  });
  const context = { signal: new AbortController().signal, requestHeader: new Headers() };
  const watch = async (resumeToken = ''): Promise<void> => {
    const request = create(WatchRequestSchema, { application: 'shop', profiles: ['prod'], resumeToken });
    for await (const _ of handler(request, context));
  };
  return { starts, watch, openCount: () => openCount };
}

describe('a watch of configuration that ends with an error', () => {
  it('tells a subscriber that was too slow where to go on', async () => {
    const ending = createEnding(new DomainError('WATCH_TOO_SLOW', 'too slow', { revision: '7' }));
    const error = (await ending.watch().catch((reason: unknown) => reason)) as DomainError;
    expect(error).toMatchObject({
      reason: 'WATCH_TOO_SLOW',
      message: 'too slow',
      metadata: { revision: '7' },
    });

    await ending.watch(error.metadata['resume_token']).catch(() => {});
    expect(ending.starts).toEqual([{ kind: 'now' }, { kind: 'resume', revision: 7n, isPartial: false }]);
  });

  it('passes other errors on as they are, and is no subscriber any more', async () => {
    const error = new DomainError('STORE_UNAVAILABLE', 'gone');
    const ending = createEnding(error);
    await expect(ending.watch()).rejects.toBe(error);
    expect(ending.openCount()).toBe(0);
  });
});
