import { createRequire } from 'node:module';
import type { ExpressionFilters } from './filter-expression.ts';

const require = createRequire(import.meta.url);

/** Creates the filters of `filter-expression.ts`, whose language (CEL) is loaded with the first expression. */
export function createExpressionFiltersOnDemand(): ExpressionFilters {
  let loaded: ExpressionFilters | undefined;
  return (expression) => {
    if (expression === '') return undefined;
    if (loaded === undefined) {
      const {
        createExpressionFilters,
      }: typeof import('./filter-expression.ts') = require('./filter-expression.ts');
      loaded = createExpressionFilters();
    }
    return loaded(expression);
  };
}
