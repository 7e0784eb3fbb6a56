// What is written about leases, as every gateway sees it: which are renewed by the replicas, which are kept by a stream, and which
// gateways are alive. One mirror of the store for all of it.

import { Mirror, type MirrorChange, type MirrorDeps } from '../watch/mirror.ts';
import { LEASE_KEYS, type LeaseKey, readLeaseKey } from './lease-keys.ts';

/** Is told of the records of one kind. Its methods must neither throw nor wait. */
export interface RecordListener<Kind extends LeaseKey['kind']> {
  changed(key: Extract<LeaseKey, { readonly kind: Kind }>, change: MirrorChange): void;
  /** All records are known as they were at `revision`. */
  synced?(revision: bigint): void;
}

/** Who listens to which records. */
export interface RecordListeners {
  readonly renewed: RecordListener<'renewed'>;
  readonly replica: RecordListener<'replica'>;
  readonly session: RecordListener<'session'>;
}

/** Mirrors the records until the mirror is disposed. */
export function mirrorLeaseRecords(deps: MirrorDeps, listeners: RecordListeners): Mirror {
  return new Mirror(deps, LEASE_KEYS, {
    changed(change) {
      const key = readLeaseKey(change.key);
      switch (key?.kind) {
        case 'renewed':
          return listeners.renewed.changed(key, change);
        case 'session':
          return listeners.session.changed(key, change);
        case 'replica':
          return listeners.replica.changed(key, change);
      }
    },
    synced(revision) {
      listeners.replica.synced?.(revision);
      listeners.renewed.synced?.(revision);
      listeners.session.synced?.(revision);
    },
  });
}
