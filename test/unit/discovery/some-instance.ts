import type { Instance } from '../../../src/domain/discovery/instance.ts';

/** Returns an instance that is up, with `changes`. */
export function someInstance(changes: Partial<Instance> = {}): Instance {
  return {
    service: 'orders',
    instanceId: 'a',
    host: '10.0.0.1',
    port: 8080,
    metadata: {},
    tags: [],
    version: '',
    zone: '',
    weight: 1,
    status: 'UP',
    leaseId: 0n,
    registerWallMs: undefined,
    revision: 1n,
    liveness: undefined,
    members: {},
    ...changes,
  };
}

/** Returns `count` instances of one service, `i0` and so on. */
export function someInstances(count: number): Instance[] {
  return Array.from({ length: count }, (_, i) => someInstance({ instanceId: `i${i}` }));
}
