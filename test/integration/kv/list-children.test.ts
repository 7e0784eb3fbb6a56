import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listChildren } from '../../../src/domain/kv/list-children.ts';
import type { KeyValueStore } from '../../../src/domain/store.ts';
import { type Etcd, openEtcd } from '../../../src/etcd/open-etcd.ts';
import { startEtcd } from '../../support/start-etcd.ts';
import type { TestEtcd } from '../../support/test-etcd.ts';

const options = { signal: new AbortController().signal };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (key: Uint8Array) => new TextDecoder().decode(key);

let server: TestEtcd;
let etcd: Etcd;

beforeAll(async () => {
  server = await startEtcd();
  etcd = openEtcd({ endpoints: [server.endpoint] });
});

afterAll(async () => {
  etcd?.close();
  await server?.stop();
});

describe('listChildren', () => {
  it('reads a few hundred of 100,000 keys that lie under 3 names', async () => {
    const parent = `${randomUUID()}/`;
    const keys = Array.from({ length: 100_000 }, (_, i) => `${parent}name-${i % 3}/${i}`);
    await putAll(keys);
    const counting = countingStore(etcd.store);
    expect(await childrenOf(parent, 100, counting.store)).toEqual([
      'name-0 below',
      'name-1 below',
      'name-2 below',
    ]);
    expect(counting.keysRead()).toBeLessThan(500);
  });

  it('lists the names of any keys, on pages of any size, each once', async () => {
    const name = fc.stringMatching(/^[ab-]{0,2}$/);
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
    const paths = fc.uniqueArray(path, { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(paths, fc.integer({ min: 1, max: 5 }), async (some, pageSize) => {
        const parent = `${randomUUID()}/`;
        await putAll(some.map((each) => parent + each));
        expect((await childrenOf(parent, pageSize)).sort()).toEqual(plainChildren(some));
      }),
      { numRuns: 100 },
    );
  });

  it('lists the root, where keys that begin with the delimiter lie under an empty name', async () => {
    await putAll(['/services/a', '/']);
    const [first] = await childrenOf('', 1);
    expect(first).toBe(' below');
  });
});

/** All names, page by page, each with what is told of it. */
async function childrenOf(parent: string, pageSize: number, store = etcd.store): Promise<string[]> {
  const query = { delimiter: bytes('/'), pageSize, revision: 0n, serializable: false, minRevision: 0n };
  const found: string[] = [];
  let cursor: Parameters<typeof listChildren>[1]['cursor'];
  do {
    const page = await listChildren(store, { ...query, parent: bytes(parent), cursor }, options);
    found.push(...page.children.map((child) => described(text(child.name), child.isKey, child.hasChildren)));
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

/** The same, found by looking at every key. */
function plainChildren(paths: readonly string[]): string[] {
  const names = new Set(paths.map((path) => path.split('/', 1)[0] ?? ''));
  return [...names]
    .map((name) =>
      described(
        name,
        paths.includes(name),
        paths.some((path) => path.startsWith(`${name}/`)),
      ),
    )
    .sort();
}

function described(name: string, isKey: boolean, hasChildren: boolean): string {
  return [name, ...(isKey ? ['key'] : []), ...(hasChildren ? ['below'] : [])].join(' ');
}

async function putAll(keys: readonly string[]): Promise<void> {
  for (let i = 0; i < keys.length; i += 128) {
    const success = keys
      .slice(i, i + 128)
      .map((key) => ({ kind: 'put', key: bytes(key), value: bytes('v') }) as const);
    await etcd.store.txn({ kind: 'txn', compares: [], success, failure: [] }, options);
  }
}

/** Counts the keys that the store answers with. */
function countingStore(store: KeyValueStore) {
  let keysRead = 0;
  const counting: KeyValueStore = {
    async read(operation, given) {
      const answer = await store.read(operation, given);
      keysRead += answer.kvs.length;
      return answer;
    },
    async txn(txn, given) {
      const answer = await store.txn(txn, given);
      for (const result of answer.results) if (result.kind === 'read') keysRead += result.kvs.length;
      return answer;
    },
  };
  return { store: counting, keysRead: () => keysRead };
}
