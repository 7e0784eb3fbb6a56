import { createRequire } from 'node:module';
import type { Validate } from './validation.ts';

const require = createRequire(import.meta.url);

/** A check that loads its rules' language (CEL) once: at the first call, or before it where `load` is called. */
export interface ValidateOnDemand {
  readonly validate: Validate;
  load(): void;
}

/** Creates the check of `validation.ts`, which takes a fifth of a start to load, so that a gateway is ready before it is. */
export function createValidateOnDemand(): ValidateOnDemand {
  let loaded: Validate | undefined;
  function load(): Validate {
    if (loaded !== undefined) return loaded;
    const { createValidate }: typeof import('./validation.ts') = require('./validation.ts');
    loaded = createValidate();
    return loaded;
  }
  return {
    validate: (schema, message) => load()(schema, message),
    load: () => void load(),
  };
}
