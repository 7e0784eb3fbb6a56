import type { ErrorObject, ValidateFunction } from 'ajv';
import { compileSchema, createMetaSchemas } from './compile-schema.ts';
import { Flaw } from './flaw.ts';
import { type Violation, violationOf } from './schema-problems.ts';
import type { TimeLimit } from './time-limit.ts';

/** Checks data against schemas, of which it keeps those that were asked for last. */
export interface Schemas {
  /** Throws a flaw where a text is no schema. */
  require(schema: string, limit: TimeLimit): void;
  /** Returns where data breaks a schema: at most so many places. Throws a flaw where it cannot be said. */
  check(schema: string, data: unknown, limit: TimeLimit, maxViolations: number): readonly Violation[];
}

/** A schema that can be asked for all violations, or for the first. */
interface Compiled {
  readonly all: ValidateFunction;
  readonly first: () => ValidateFunction;
}

const MAX_SCHEMAS = 200;
/** In characters of their texts: one that is compiled takes many times that. */
const MAX_TOTAL_LENGTH = 2_097_152;
/** For how long all violations are looked for: each is kept, and of a hostile schema there are a hundred million. */
const ALL_MS = 200;
const LATE = 'takes too long to check';

/** Creates it. */
export function createSchemas(): Schemas {
  const kept = new Map<string, Compiled>();
  const metaSchemas = createMetaSchemas();

  function compiled(text: string, limit: TimeLimit): Compiled {
    const found = kept.get(text) ?? compile(text, limit);
    // The oldest comes first.
    kept.delete(text);
    kept.set(text, found);
    let total = [...kept.keys()].reduce((sum, key) => sum + key.length, 0);
    for (const key of kept.keys()) {
      if (kept.size <= MAX_SCHEMAS && total <= MAX_TOTAL_LENGTH) break;
      kept.delete(key);
      total -= key.length;
    }
    return found;
  }

  function compile(text: string, limit: TimeLimit): Compiled {
    const all = compileSchema(text, metaSchemas, limit, {
      allErrors: true,
      lateMessage: 'takes too long to compile',
    });
    let first: ValidateFunction | undefined;
    return {
      all,
      first: () => {
        first ??= compileSchema(text, metaSchemas, limit, { allErrors: false, lateMessage: LATE });
        return first;
      },
    };
  }

  return {
    require(schema, limit) {
      compiled(schema, limit);
    },
    check(schema, data, limit, maxViolations) {
      const { all, first } = compiled(schema, limit);
      let errors: readonly ErrorObject[];
      try {
        errors = limit.run(() => errorsOf(all, data), LATE, ALL_MS);
      } catch (error) {
        if (!(error instanceof Flaw && error.message === LATE)) throw error;
        const validate = first();
        errors = limit.run(() => errorsOf(validate, data), LATE);
      }
      // Before it comes what is wrong with the name.
      const told = errors.filter(({ keyword }) => keyword !== 'propertyNames');
      return told.slice(0, maxViolations).map(violationOf);
    },
  };
}

function errorsOf(validate: ValidateFunction, data: unknown): readonly ErrorObject[] {
  try {
    return validate(data) ? [] : (validate.errors ?? []);
  } catch (error) {
    // The stack ended, or a regular expression is too large to run.
    if (error instanceof RangeError || error instanceof SyntaxError)
      throw new Flaw('cannot be checked: its schema asks for too much');
    throw error;
  }
}
