// Which instances are meant.

import type { Instance, Status } from './instance.ts';

/** Returns whether an instance is meant. */
export type Filter = (instance: Instance) => boolean;

/** An instance passes if it passes each of these that is not empty. */
export interface FilterOptions {
  readonly statuses: readonly Status[];
  readonly zones: readonly string[];
  /** All of them. */
  readonly tags: readonly string[];
  readonly version: string;
  /** Undefined: none. */
  readonly expression: Filter | undefined;
}

/** Every instance passes. */
export const EVERY: Filter = () => true;

/** Creates the filter. */
export function createFilter({ statuses, zones, tags, version, expression }: FilterOptions): Filter {
  return (instance) =>
    (statuses.length === 0 || statuses.includes(instance.status)) &&
    (zones.length === 0 || zones.includes(instance.zone)) &&
    tags.every((tag) => instance.tags.includes(tag)) &&
    (version === '' || version === instance.version) &&
    (expression?.(instance) ?? true);
}

/** Returns whether an instance takes work. */
export function isUp({ status }: Instance): boolean {
  return status === 'UP';
}
