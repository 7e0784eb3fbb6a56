import fc from 'fast-check';
import { expect } from 'vitest';
import { type Failure, failureOf } from '../../support/failure-of.ts';
import { mutated } from '../../support/random-messages.ts';

const DAMAGED_TOKENS = 300;

/** The failure of a call that need not fail. */
export async function failureIn(call: Promise<unknown>): Promise<Failure | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return failureOf(Promise.reject(error));
  }
}

/** Checks that tokens which differ from a genuine one in some characters are refused with `reason`, or mean the same. */
export async function expectDamageFound(
  genuine: string,
  reason: string,
  use: (token: string) => Promise<unknown>,
): Promise<void> {
  const damaged = fc
    .tuple(mutated(Buffer.from(genuine)), fc.string({ unit: 'binary', maxLength: 3 }))
    .map(([bytes, tail]) => bytes.toString('latin1') + tail)
    .filter((token) => token !== '');
  for (const token of fc.sample(damaged, DAMAGED_TOKENS)) {
    const failure = await failureIn(use(token));
    if (failure !== undefined) expect(failure, token).toMatchObject({ reason });
    else expect(Buffer.from(token, 'base64url'), token).toEqual(Buffer.from(genuine, 'base64url'));
  }
}
