// Histories as a store makes them that does one thing after the other, under clients whose calls overlap in any way.

import fc from 'fast-check';
import { type Call, History, type Operation } from '../../support/linearizability/history.ts';

/** How a history comes about. */
interface Run {
  readonly clients: number;
  readonly keys: number;
  /** Numbers that say who goes on, and with what. */
  readonly steps: readonly number[];
  /** Whether answers get lost. */
  readonly losesAnswers: boolean;
}

interface KeyState {
  readonly value: string;
  readonly modRevision: bigint;
  readonly version: bigint;
}

/** A call that is under way; `outcome` where the store has done it. */
interface Pending {
  readonly client: number;
  readonly key: string;
  readonly calledAt: number;
  readonly request: Request;
  done?: Call;
}

type Request =
  | { readonly kind: 'get' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'put'; readonly value: string; readonly expectedRevision: bigint | undefined };

/** The histories of a few clients and keys, and of some hundred steps. */
export function randomHistory(limits: {
  readonly clients: number;
  readonly keys: number;
  readonly steps: number;
  readonly losesAnswers?: boolean;
}): fc.Arbitrary<readonly Operation[]> {
  const { clients, keys, steps, losesAnswers = true } = limits;
  return fc
    .array(fc.nat(2 ** 30), { minLength: steps / 2, maxLength: steps })
    .map((numbers) => runHistory({ clients, keys, steps: numbers, losesAnswers }));
}

/** Makes the history that the numbers stand for. */
export function runHistory({ clients, keys, steps, losesAnswers }: Run): readonly Operation[] {
  const history = new History();
  const store = new RandomStore();
  const pending = new Map<number, Pending>();
  const late: Pending[] = [];
  let named = clients;
  const names = Array.from({ length: clients }, (_, i) => i);
  for (const [i, step] of steps.entries()) {
    const [place, choice] = [step % clients, Math.floor(step / clients)];
    const current = pending.get(place);
    if (late.length > 0 && choice % 11 === 0) store.run(late.shift());
    else if (current === undefined) {
      const key = `key-${Math.floor(choice / 16) % keys}`;
      const request = requestOf(choice % 16, `value-${i}`, store.revisionOf(key));
      pending.set(place, { client: names[place] ?? place, key, calledAt: history.tick(), request });
    } else if (losesAnswers && choice % 13 === 0) {
      pending.delete(place);
      // A client that was not answered is another one from now on.
      names[place] = named++;
      record(history, current, forgotten(current.request));
      if (current.done === undefined && choice % 2 === 0) late.push(current);
    } else if (current.done === undefined) {
      store.run(current);
    } else {
      pending.delete(place);
      record(history, current, current.done);
    }
  }
  for (const call of pending.values()) record(history, call, call.done ?? forgotten(call.request));
  return history.operations;
}

function record(history: History, { client, key, calledAt }: Pending, call: Call | undefined): void {
  if (call !== undefined) history.add(client, calledAt, [{ ...call, key }]);
}

function requestOf(choice: number, value: string, revision: bigint): Request {
  if (choice < 6) return { kind: 'get' };
  if (choice < 8) return { kind: 'delete' };
  const expectedRevision = choice < 12 ? undefined : choice < 15 ? revision : 1n;
  return { kind: 'put', value, expectedRevision };
}

function forgotten(request: Request): Call | undefined {
  return request.kind === 'get' ? undefined : { ...request, outcome: { kind: 'unknown' } };
}

/** Keys and revisions as etcd has them. */
class RandomStore {
  readonly #keys = new Map<string, KeyState>();
  #revision = 1n;

  revisionOf(key: string): bigint {
    return this.#keys.get(key)?.modRevision ?? 0n;
  }

  /** Does what was called. */
  run(call: Pending | undefined): void {
    if (call !== undefined) call.done = this.#apply(call.key, call.request);
  }

  #apply(key: string, request: Request): Call {
    const state = this.#keys.get(key);
    switch (request.kind) {
      case 'get': {
        const revision = this.#revision;
        return {
          kind: 'get',
          outcome: state ? { kind: 'found', ...state, revision } : { kind: 'missing', revision },
        };
      }
      case 'delete': {
        if (this.#keys.delete(key)) this.#revision += 1n;
        const outcome = { kind: 'deleted', didExist: state !== undefined, revision: this.#revision } as const;
        return { kind: 'delete', outcome };
      }
      case 'put': {
        const { value, expectedRevision } = request;
        const actualRevision = this.revisionOf(key);
        if (expectedRevision !== undefined && expectedRevision !== actualRevision) {
          return { ...request, outcome: { kind: 'mismatch', actualRevision } };
        }
        this.#revision += 1n;
        const version = (state?.version ?? 0n) + 1n;
        this.#keys.set(key, { value, modRevision: this.#revision, version });
        return { ...request, outcome: { kind: 'written', revision: this.#revision, version } };
      }
    }
  }
}
