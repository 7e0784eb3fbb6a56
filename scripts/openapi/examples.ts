// Requests that are shown with an operation, and that work on a new gateway when all are sent in the order of the document, streams
// left open.

import type { MediaType } from './open-api.ts';

/** One request. */
export interface Example {
  /** The parameters of path and query by their names. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/** The requests of one operation. */
export interface Examples {
  /** By their names; one of a single name is shown without it. */
  readonly requests: Readonly<Record<string, Example>>;
  /** See `x-concord-takes`; it holds for each of the requests. */
  readonly takes?: Readonly<Record<string, string>>;
}

/** Returns what the requests hold at one place, as a parameter or a body shows it; of several each by its name. */
export function shown(
  { requests }: Examples,
  at: (request: Example) => unknown,
): Pick<MediaType, 'example' | 'examples'> {
  const values = Object.entries(requests).flatMap(([name, example]) => {
    const value = at(example);
    return value === undefined ? [] : [[name, { value }] as const];
  });
  if (Object.keys(requests).length > 1)
    return values.length === 0 ? {} : { examples: Object.fromEntries(values) };
  const [only] = values;
  return only === undefined ? {} : { example: only[1].value };
}
