// What reads, writes and checks documents, loaded when it is first needed: a start has no use for it, and it takes a tenth of one.

import { createRequire } from 'node:module';
import type { Documents } from '../domain/config/document.ts';
import type { flatten } from './flatten.ts';

const require = createRequire(import.meta.url);

/** Creates the port {@link Documents}; the parsers, and what checks schemas, are loaded at its first call. */
export function createDocumentsOnDemand(): Documents {
  let loaded: Documents | undefined;
  function documents(): Documents {
    if (loaded !== undefined) return loaded;
    const { createDocuments }: typeof import('./create-documents.ts') = require('./create-documents.ts');
    loaded = createDocuments();
    return loaded;
  }
  return {
    parse: (...args) => documents().parse(...args),
    schemaProblem: (...args) => documents().schemaProblem(...args),
    violations: (...args) => documents().violations(...args),
    write: (...args) => documents().write(...args),
    read: (...args) => documents().read(...args),
  };
}

/** As {@link flatten}; the parsers are loaded at its first call. */
export const flattenOnDemand: typeof flatten = (...args) => {
  const { flatten }: typeof import('./flatten.ts') = require('./flatten.ts');
  return flatten(...args);
};
