import type { HttpRoute } from './http-route.ts';

/**
 * Returns what finds the route of a path. A route whose own path ends with `/`, such as `/spring/`, takes every path that begins
 * with it; of several the longest goes before the others, and a route of exactly that path before them all.
 */
export function createRouteFinder(
  routes: ReadonlyMap<string, HttpRoute>,
): (path: string) => HttpRoute | undefined {
  const byPrefix = [...routes]
    .filter(([path]) => path.endsWith('/'))
    .sort(([one], [other]) => other.length - one.length);
  return (path) => routes.get(path) ?? byPrefix.find(([prefix]) => path.startsWith(prefix))?.[1];
}
