// Choosing one of several instances.

import { hashText, mix } from '../hash.ts';
import type { Instance } from './instance.ts';

/** How. */
export type Strategy =
  | { readonly kind: 'first' | 'random' | 'roundRobin' | 'weighted' }
  | { readonly kind: 'zoneFirst'; readonly zone: string }
  | { readonly kind: 'hash'; readonly key: string };

/** Chooses; undefined where there is nothing to choose from. */
export type Pick = (
  service: string,
  instances: readonly Instance[],
  strategy: Strategy,
) => Instance | undefined;

/** Creates what chooses; it counts for itself whose turn it is. `random` gives numbers from 0 to 1. */
export function createPick(random: () => number): Pick {
  /** By service: how many were picked. It forgets the services that were not picked from for longest. */
  const turns = new Map<string, number>();
  const maxTurns = 10_000;

  function weighted(instances: readonly Instance[]): Instance | undefined {
    let rest = random() * instances.reduce((sum, { weight }) => sum + weight, 0);
    for (const instance of instances) {
      rest -= instance.weight;
      if (rest < 0) return instance;
    }
    return undefined;
  }

  return (service, instances, strategy) => {
    switch (strategy.kind) {
      case 'first':
        return instances[0];
      case 'random':
        return instances[Math.floor(random() * instances.length)];
      case 'roundRobin': {
        const turn = turns.get(service) ?? 0;
        turns.delete(service);
        turns.set(service, turn + 1);
        const [oldest] = turns.keys();
        if (turns.size > maxTurns && oldest !== undefined) turns.delete(oldest);
        return instances[turn % instances.length];
      }
      case 'weighted':
        return weighted(instances);
      case 'zoneFirst':
        return weighted(instances.filter(({ zone }) => zone === strategy.zone)) ?? weighted(instances);
      case 'hash':
        return highest(instances, strategy.key);
    }
  };
}

/** Rendezvous hashing: each instance's claim on the key depends on nothing but itself and the key. */
function highest(instances: readonly Instance[], key: string): Instance | undefined {
  const keyHash = hashText(key);
  let best: Instance | undefined;
  let bestHash = -1;
  for (const instance of instances) {
    const hash = mix(keyHash ^ hashText(instance.instanceId));
    if (hash > bestHash) [best, bestHash] = [instance, hash];
  }
  return best;
}
