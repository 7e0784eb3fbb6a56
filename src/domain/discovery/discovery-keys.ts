// The keys of instances: `<prefix>/<service>/<instance_id>`. Loss guards stand at `/concord/discovery/guard/<service>`.

import { type KeySpan, prefixRange } from '../key-range.ts';

/** Names and reads the keys under one prefix. */
export interface DiscoveryKeys {
  /** Of all instances. */
  readonly all: KeySpan;
  ofService(service: string): KeySpan;
  ofInstance(service: string, instanceId: string): Uint8Array;
  /** The service under which a key stands; empty: under none that has a name. */
  serviceOf(key: Uint8Array): string;
  /** Undefined: the key is no instance's. */
  read(key: Uint8Array): { readonly service: string; readonly instanceId: string } | undefined;
}

const GUARDS = '/concord/discovery/guard/';
const encoder = new TextEncoder();
const SLASH = 0x2f;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** All keys of loss guards. */
export const GUARD_KEYS = prefixRange(encoder.encode(GUARDS));

/** Returns the key of a service's loss guard. */
export function guardKey(service: string): Uint8Array {
  return encoder.encode(GUARDS + service);
}

/** Returns the service that a loss guard's key names. */
export function guardedService(key: Uint8Array): string {
  return textOf(key)?.slice(GUARDS.length) ?? '';
}

/** Creates the keys under `prefix`, such as `/services`. */
export function createDiscoveryKeys(prefix: string): DiscoveryKeys {
  const root = `${prefix}/`;
  const { length: rootBytes } = encoder.encode(root);
  return {
    all: prefixRange(encoder.encode(root)),
    ofService: (service) => prefixRange(encoder.encode(`${root}${service}/`)),
    ofInstance: (service, instanceId) => encoder.encode(`${root}${service}/${instanceId}`),
    serviceOf(key) {
      const end = key.indexOf(SLASH, rootBytes);
      return end < 0 ? '' : (textOf(key.subarray(rootBytes, end)) ?? '');
    },
    read(key) {
      const [service, instanceId, ...rest] = textOf(key.subarray(rootBytes))?.split('/') ?? [];
      return service && instanceId && rest.length === 0 ? { service, instanceId } : undefined;
    },
  };
}

/** Undefined: it is not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
