import { describe, expect, it } from 'vitest';
import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import { type ConfigReadsDeps, getSchemas } from '../../../src/domain/config/config-reads.ts';
import type { KeyValueStore } from '../../../src/domain/store.ts';

const { signal } = new AbortController();

/** A store without schemas whose members are at revisions of their own, and how it was read. */
function createReads({ member, majority }: { readonly member: bigint; readonly majority: bigint }) {
  const asked: boolean[] = [];
  const store: Pick<KeyValueStore, 'read'> = {
    async read({ serializable = false }) {
      asked.push(serializable);
      return { kind: 'read', kvs: [], count: 0n, more: false, revision: serializable ? member : majority };
    },
  };
  const deps = { store, keys: createConfigKeys('/config') } as unknown as ConfigReadsDeps;
  return {
    asked,
    read: (serializable: boolean, minRevision: bigint) =>
      getSchemas(deps, 'shop', '', { serializable, minRevision }, { signal }),
  };
}

describe('reading schemas', () => {
  it.each([
    ['by a majority', false, 0n, [false], 9n],
    ['by one member where that is enough', true, 0n, [true], 7n],
    ['by one member that has reached a revision', true, 7n, [true], 7n],
    ['by a majority where one member has not', true, 8n, [true, false], 9n],
  ])('is answered %s', async (_, serializable, minRevision, asked, revision) => {
    const reads = createReads({ member: 7n, majority: 9n });
    expect(await reads.read(serializable, minRevision)).toEqual({ schemas: [], revision });
    expect(reads.asked).toEqual(asked);
  });

  it('refuses a revision that the store has not reached', async () => {
    const reads = createReads({ member: 7n, majority: 9n });
    await expect(reads.read(true, 10n)).rejects.toMatchObject({ reason: 'REVISION_IN_FUTURE' });
  });
});
