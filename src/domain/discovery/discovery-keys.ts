// The keys of instances: `<prefix>/<service>/<instance_id>`. Loss guards stand at `/concord/discovery/guard/<service>`.

import { type KeySpan, prefixRange } from '../key-range.ts';

/** Names and reads the keys under one prefix. */
export interface DiscoveryKeys {
  /** Of all instances. */
  readonly all: KeySpan;
  ofService(service: string): KeySpan;
  ofInstance(service: string, instanceId: string): Uint8Array;
  /** Undefined: the key is no instance's. */
  read(key: Uint8Array): { readonly service: string; readonly instanceId: string } | undefined;
}

const GUARDS = '/concord/discovery/guard/';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** All keys of loss guards. */
export const GUARD_KEYS = prefixRange(encoder.encode(GUARDS));

/** Returns the key of a service's loss guard. */
export function guardKey(service: string): Uint8Array {
  return encoder.encode(GUARDS + service);
}

/** Returns the service that a loss guard's key names. */
export function guardedService(key: Uint8Array): string {
  return decoder.decode(key).slice(GUARDS.length);
}

/** Creates the keys under `prefix`, such as `/services`. */
export function createDiscoveryKeys(prefix: string): DiscoveryKeys {
  const root = `${prefix}/`;
  return {
    all: prefixRange(encoder.encode(root)),
    ofService: (service) => prefixRange(encoder.encode(`${root}${service}/`)),
    ofInstance: (service, instanceId) => encoder.encode(`${root}${service}/${instanceId}`),
    read(key) {
      const [service, instanceId, ...rest] = decoder.decode(key).slice(root.length).split('/');
      return service && instanceId && rest.length === 0 ? { service, instanceId } : undefined;
    },
  };
}
