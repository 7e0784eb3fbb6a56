import type { ConfigItem } from '../../../src/domain/config/config-item.ts';
import type { VersionRecord } from '../../../src/domain/config/version-record.ts';
import type { KeyValue } from '../../../src/domain/store.ts';

const encoder = new TextEncoder();

/** An item of the application `app`. */
export function someItem(key: string, value: string, more: Partial<ConfigItem> = {}): ConfigItem {
  return {
    application: 'app',
    profile: 'default',
    key,
    value: encoder.encode(value),
    contentType: 'text',
    version: 1,
    author: '',
    comment: '',
    updateWallMs: 0,
    isSecret: false,
    revision: 1n,
    ...more,
  };
}

/** What is known of a first version. */
export function someRecord(more: Partial<VersionRecord> = {}): VersionRecord {
  return {
    version: 1,
    contentType: 'text',
    author: '',
    comment: '',
    updateWallMs: 0,
    isSecret: false,
    isDeleted: false,
    isExternal: false,
    rollbackOf: 0,
    valueRevision: 0n,
    revision: 0n,
    ...more,
  };
}

/** A key as it was written at a revision. */
export function keyWrittenAt(modRevision: bigint, key = 'k', value = 'v'): KeyValue {
  const bytes = encoder.encode(value);
  return {
    key: encoder.encode(key),
    value: bytes,
    createRevision: modRevision,
    modRevision,
    version: 1n,
    leaseId: 0n,
  };
}
