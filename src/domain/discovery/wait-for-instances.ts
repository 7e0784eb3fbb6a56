// Waiting until a service has as many instances as somebody needs.

import { Bell } from '../session/bell.ts';
import type { AtRevision, OperationOptions } from '../store.ts';
import type { Directory } from './directory.ts';
import { type Filter, isUp } from './filter.ts';
import type { Instance } from './instance.ts';

/** How many instances, of which service. */
export interface WaitForQuery {
  readonly service: string;
  readonly count: number;
  /** Of those that are up. */
  readonly filter: Filter;
}

/** Resolves when there are as many; those that a loss guard holds are not there. Rejects as the store does, until it has answered once. */
export async function waitForInstances(
  directory: Directory,
  { service, count, filter }: WaitForQuery,
  options: OperationOptions,
): Promise<AtRevision<{ readonly instances: readonly Instance[] }>> {
  const bell = new Bell();
  const stop = directory.listen({
    changed: (changed) => {
      if (changed === service) bell.ring();
    },
    settled() {},
  });
  const found = () => directory.peek(service).instances.filter((each) => isUp(each) && filter(each));
  try {
    // What is told from now on is newer than what the store says now.
    for (let serializable = false; ; serializable = true) {
      const freshness = { serializable, minRevision: 0n };
      const { value, revision } = await directory.fresh(service, found, freshness, options);
      if (value.length >= count) return { instances: value, revision };
      await bell.heard(options);
    }
  } finally {
    stop();
  }
}
