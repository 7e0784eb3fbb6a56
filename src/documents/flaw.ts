import type { Problem } from '../domain/config/document.ts';

/** Thrown within this layer where a text is not what it should be. Never leaves it. */
export class Flaw extends Error {
  readonly problem: Problem;

  constructor(message: string, { path = '', line = 0 }: Partial<Omit<Problem, 'message'>> = {}) {
    super(message);
    this.name = 'Flaw';
    this.problem = { message, path, line };
  }
}

/** Returns what the work returns, or what is wrong with the text that it works on. */
export function attempt<T>(work: () => T): { readonly kind: 'done'; readonly value: T } | Failed {
  try {
    return { kind: 'done', value: work() };
  } catch (error) {
    if (error instanceof Flaw) return { kind: 'problem', problem: error.problem };
    // The stack ended: of the parsers, not all bound how deep they go.
    if (error instanceof RangeError) return { kind: 'problem', problem: new Flaw(TOO_DEEP).problem };
    throw error;
  }
}

interface Failed {
  readonly kind: 'problem';
  readonly problem: Problem;
}

/** How deep maps and lists may be nested: far more than people write, far less than the stack holds. */
export const MAX_DEPTH = 256;

/** Said of what is nested deeper. */
export const TOO_DEEP = `must not be nested deeper than ${MAX_DEPTH} levels`;
