// One of many who read and write a few keys at the same time, and write down what they are told.

import { setTimeout as delay } from 'node:timers/promises';
import type { History } from '../../support/linearizability/history.ts';
import { askRegister, type KeyCall, type RegisterCalls, type RegisterRequest } from './ask-register.ts';

/** A client at work. */
export interface RegisterClient {
  /** Its number in the history, and in the values that it writes. */
  readonly number: number;
  /** Of each gateway; the next one after some calls, and where one fails. */
  readonly gateways: readonly RegisterCalls[];
  /** None of them existed before, and only such clients write to them. */
  readonly keys: readonly string[];
  readonly history: History;
  /** Asked before each call. */
  readonly goesOn: () => boolean;
}

const REST_MS = 50;
/** So that no gateway is without clients for long after a fault. */
const CALLS_OF_A_STAY = 10;
/** So that what is sent at once differs in size. */
const MAX_PADDING_BYTES = 300;

/** Makes one call after another, about half of them reads; no two values that are written are the same. Rejects as askRegister does. */
export async function runRegisterClient(client: RegisterClient): Promise<void> {
  const { number, gateways, keys, history, goesOn } = client;
  const revisions = new Map<string, bigint>();
  let turn = 0;
  for (let round = 0; goesOn(); round++) {
    const kv = gateways[turn % gateways.length];
    if (kv === undefined) throw new Error('there is no gateway');
    const request = chooseRequest(keys, `${number}/${round} `, revisions);
    const calledAt = history.tick();
    const calls = await askRegister(kv, request);
    history.add(number, calledAt, calls);
    for (const call of calls) revisions.set(call.key, newestRevision(call));
    const isAnswered = calls.length > 0 && calls.every(({ outcome }) => outcome.kind !== 'unknown');
    if (!isAnswered) await delay(REST_MS);
    if (!isAnswered || round % CALLS_OF_A_STAY === 0) turn += 1;
  }
}

function chooseRequest(
  keys: readonly string[],
  name: string,
  revisions: ReadonlyMap<string, bigint>,
): RegisterRequest {
  const key = keys[Math.floor(Math.random() * keys.length)];
  if (key === undefined) throw new Error('there is no key');
  const choice = Math.random();
  if (choice < 0.4) return { kind: 'get', key };
  if (choice < 0.5) return { kind: 'batchGet', keys };
  if (choice < 0.6) return { kind: 'delete', key };
  const value = name + '.'.repeat(Math.random() * MAX_PADDING_BYTES);
  const expectedRevision = choice < 0.8 ? undefined : (revisions.get(key) ?? 0n);
  return { kind: 'put', key, value, expectedRevision };
}

/** The revision of the key's last change that the client knows of now. 0n: the key does not exist, or that is not known. */
function newestRevision({ outcome }: KeyCall): bigint {
  switch (outcome.kind) {
    case 'found':
      return outcome.modRevision;
    case 'written':
      return outcome.revision;
    case 'mismatch':
      return outcome.actualRevision;
    case 'missing':
    case 'deleted':
    case 'unknown':
      return 0n;
  }
}
