import type { Operation } from '../../support/linearizability/history.ts';
import { applyCall, NEW_REGISTER, type Register } from '../../support/linearizability/register.ts';

/** Tries every order of every choice of the operations of unknown outcome. For seven operations at most. */
export function hasOrderByBruteForce(left: readonly Operation[], register: Register = NEW_REGISTER): boolean {
  if (left.every(({ outcome }) => outcome.kind === 'unknown')) return true;
  return left.some((operation) => {
    const others = left.filter((other) => other !== operation);
    if (others.some(({ returnedAt }) => returnedAt < operation.calledAt)) return false;
    const after = applyCall(register, operation);
    return after !== undefined && hasOrderByBruteForce(others, after);
  });
}
