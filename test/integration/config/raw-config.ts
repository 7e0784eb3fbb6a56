import { createConfigKeys } from '../../../src/domain/config/config-keys.ts';
import { readEntry, readRecord } from '../../../src/domain/config/version-record.ts';
import type { Etcd } from '../../../src/etcd/open-etcd.ts';

/** What etcd itself holds of an application, in the profile `default`, at one revision: no gateway is asked. */
export interface RawConfig {
  /** By key. */
  readonly values: ReadonlyMap<string, string>;
  /** The version that the record of a key tells of. */
  readonly recordedVersions: ReadonlyMap<string, number>;
  /** In the order of keys and versions. */
  readonly history: readonly RawVersion[];
}

/** One entry of the history. */
export interface RawVersion {
  readonly key: string;
  readonly version: number;
  readonly value: string;
  /** At which it was written. */
  readonly revision: bigint;
}

const CALL_TIMEOUT_MS = 20_000;
const keys = createConfigKeys('/config');

/** Reads it. */
export async function readRawConfig({ store }: Etcd, application: string): Promise<RawConfig> {
  const spans = [
    keys.values(application, 'default'),
    keys.records(application, 'default'),
    keys.historyOf(application, 'default'),
  ];
  const success = spans.map((range) => ({ kind: 'read', range }) as const);
  const txn = { kind: 'txn', compares: [], success, failure: [] } as const;
  const { results } = await store.txn(txn, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  const [values = [], records = [], history = []] = results.map((result) =>
    result.kind === 'read' ? result.kvs : [],
  );
  const keyOf = (key: Uint8Array) => keys.readItem(key)?.name.key ?? '';
  return {
    values: new Map(values.map(({ key, value }) => [keyOf(key), textOf(value)])),
    recordedVersions: new Map(records.map(({ key, value }) => [keyOf(key), readRecord(value)?.version ?? 0])),
    history: history.map(({ key, value, createRevision }) => {
      const [name, entry] = [keys.readEntry(key), readEntry(value)];
      if (name === undefined || entry === undefined) throw new Error(`${textOf(key)} is no version`);
      if (name.version !== entry.record.version) throw new Error(`${textOf(key)} holds another version`);
      return {
        key: name.key,
        version: name.version,
        value: textOf(entry.value),
        revision: createRevision,
      };
    }),
  };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
