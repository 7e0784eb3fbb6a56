// Imports of more than one transaction takes.
//
// First everything is checked, and written down: a plan, and what each step is to write. Then the plan is committed, in a
// transaction that happens only if nothing has changed since the check. From then on the steps are taken, each in a transaction
// that deletes what it was written down in, so that it is taken once. Any gateway goes on with a committed plan that nobody goes on
// with; one that is not committed is dropped. So a crash leaves an import whole, or, before the commit, absent; while it is
// under way, others see a part of it.

import type { Clock } from '../clock.ts';
import { DomainError } from '../errors.ts';
import { singleKey } from '../key-range.ts';
import { persistently } from '../persistently.ts';
import { type ListCursor, list } from '../reading/list.ts';
import type { KeyValue, KeyValueStore, Operation, OperationOptions } from '../store.ts';
import { conditionalTxn } from '../writing/conditional-txn.ts';
import type { ConfigChange } from './config-item.ts';
import type { ConfigKeys } from './config-keys.ts';
import type { Edited, EditRequest } from './edit-items.ts';
import { type ImportPlan, planValue, readPlan, readStep, stepValue } from './import-record.ts';
import type { Vault } from './vault.ts';

/** What it needs. */
export interface SteppedImportsDeps {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly keys: ConfigKeys;
  readonly vault: Vault;
  readonly random: () => number;
  /** Returns an id that nobody else has: letters, digits and `-`. */
  readonly newId: () => string;
  readonly edit: (request: EditRequest, options: OperationOptions) => Promise<Edited>;
}

/** What was written, in how many transactions. */
export interface SteppedEdit extends Edited {
  readonly stepCount: number;
}

interface FoundPlan {
  readonly id: string;
  readonly plan: ImportPlan;
  /** Changes with each step that is taken. */
  readonly progress: string;
}

const STEP_ITEMS = 300;
/** A step writes each value twice, once into the history. */
const STEP_BYTES = 400_000;
const ATTEMPTS = 10;
/** Between two looks for plans; replicas look at different times. */
const LOOK_MS = 10_000;
/** Between two looks at a plan: who takes steps takes one in less. */
const PROGRESS_MS = 3_000;
/** A plan that was not committed by then never will be. */
const ABANDONED_MS = 600_000;
const PAGE_SIZE = 1_000;

/** Writes imports, and goes on with those of gateways that died, until it is disposed. */
export class SteppedImports implements Disposable {
  readonly #deps: SteppedImportsDeps;
  readonly #abort = new AbortController();
  /** Those that this gateway goes on with. */
  readonly #own = new Set<string>();
  /** How far those of others were when this gateway looked last. */
  #seen: ReadonlyMap<string, string> = new Map();
  #cancel = () => {};

  constructor(deps: SteppedImportsDeps) {
    this.#deps = deps;
    this.#arm(PROGRESS_MS);
  }

  /** Writes items in steps. Rejects as an edit does, before anything is written, or with the reason of the signal: it goes on then. */
  async write(request: EditRequest, options: OperationOptions): Promise<SteppedEdit> {
    const id = this.#deps.newId();
    this.#own.add(id);
    const { application, profile, author, comment } = request;
    const createWallMs = this.#deps.clock.wallMs();
    const plan = { application, profile, author, comment, createWallMs, isCommitted: true };
    try {
      await this.#commit(id, plan, request, options);
    } catch (error) {
      this.#own.delete(id);
      await this.#drop(application, id, options).catch(() => {});
      throw error;
    }
    // From here on it happens, whether the caller waits or not.
    const taking = this.#finish(id, plan);
    return raced(taking, options);
  }

  [Symbol.dispose](): void {
    this.#abort.abort(new Error('the imports were disposed'));
    this.#cancel();
  }

  /** Checks everything, writes it down, and commits to it, anew for as long as others change something meanwhile. */
  async #commit(
    id: string,
    plan: ImportPlan,
    request: EditRequest,
    options: OperationOptions,
  ): Promise<void> {
    const { store, keys, edit } = this.#deps;
    const { application, profile, fence } = request;
    const key = keys.importPlan(application, id);
    for (let attempt = 1; ; attempt++) {
      const { changes, revision } = await edit({ ...request, isDryRun: true }, options);
      const put = { kind: 'put', key, value: planValue({ ...plan, isCommitted: false }) } as const;
      const clear = { kind: 'delete', range: keys.importOf(application, id) } as const;
      await conditionalTxn(store, [clear], {}, options);
      await conditionalTxn(store, [put], {}, options);
      for (const [i, part] of partsOf(changes).entries()) {
        const step: Operation = {
          kind: 'put',
          key: keys.importStep(application, id, i),
          value: stepValue(part),
        };
        await conditionalTxn(store, [step], {}, options);
      }
      const expectations = [
        keys.values(application, profile),
        keys.records(application, profile),
        keys.schemasOf(application),
      ].map((range) => ({ range, expectedRevision: revision }));
      try {
        const committed = { kind: 'put', key, value: planValue(plan) } as const;
        await conditionalTxn(store, [committed], { fence, expectations }, options);
        return;
      } catch (error) {
        const isRaced = error instanceof DomainError && error.reason === 'REVISION_MISMATCH';
        if (!isRaced || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Takes all steps of a plan that is committed. Rejects only where the store refuses one for good, or when it is disposed. */
  async #finish(id: string, plan: ImportPlan): Promise<SteppedEdit> {
    const { clock } = this.#deps;
    this.#own.add(id);
    try {
      const changes: ConfigChange[] = [];
      let revision = 0n;
      let stepCount = 0;
      for (;;) {
        const taken = await persistently(clock, () => this.#takeStep(id, plan), this.#abort);
        if (taken === undefined) break;
        changes.push(...taken.changes);
        ({ revision } = taken);
        stepCount++;
      }
      await persistently(clock, () => this.#drop(plan.application, id, this.#abort), this.#abort);
      return { changes, revision, stepCount };
    } finally {
      this.#own.delete(id);
    }
  }

  /** Takes the first step that has not been; undefined: all have. */
  async #takeStep(id: string, plan: ImportPlan): Promise<Edited | undefined> {
    const { store, keys, vault, edit } = this.#deps;
    const { application, profile, author, comment } = plan;
    const range = keys.importOf(application, id);
    const { kvs } = await store.read({ kind: 'read', range, limit: 1 }, this.#abort);
    const [kv] = kvs;
    // The plan's own key comes last.
    if (kv === undefined || keys.isImportPlan(kv.key)) return undefined;
    return edit(
      {
        application,
        profile,
        author,
        comment,
        fence: undefined,
        edits: readStep(vault, plan, kv.value),
        skipUnchanged: true,
        isDryRun: false,
        step: kv,
      },
      this.#abort,
    );
  }

  async #drop(application: string, id: string, options: OperationOptions): Promise<void> {
    const drop = { kind: 'delete', range: this.#deps.keys.importOf(application, id) } as const;
    await conditionalTxn(this.#deps.store, [drop], {}, options);
  }

  #arm(withinMs: number): void {
    const { clock, random } = this.#deps;
    this.#cancel = clock.after(withinMs * (0.5 + 0.5 * random()), () => {
      void this.#look()
        // The store does not answer, or refuses a step: it is looked at again.
        .catch(() => {})
        .finally(() => {
          if (!this.#abort.signal.aborted) this.#arm(this.#seen.size > 0 ? PROGRESS_MS : LOOK_MS);
        });
    });
  }

  /** Goes on with plans that have not gone on since the last look. */
  async #look(): Promise<void> {
    const found = await this.#plans();
    const before = this.#seen;
    this.#seen = new Map(found.map(({ id, progress }) => [id, progress]));
    for (const { id, plan, progress } of found) {
      if (this.#own.has(id) || before.get(id) !== progress) continue;
      if (plan.isCommitted) await this.#finish(id, plan);
      else if (plan.createWallMs + ABANDONED_MS < this.#deps.clock.wallMs())
        await this.#drop(plan.application, id, this.#abort);
    }
  }

  async #plans(): Promise<readonly FoundPlan[]> {
    const { store, keys } = this.#deps;
    const query = { range: keys.imports, view: 'keys', order: 'ascending', pageSize: PAGE_SIZE } as const;
    const steps = new Map<string, number>();
    const plans: KeyValue[] = [];
    for (let cursor: ListCursor | undefined; ; ) {
      const freshness = { revision: 0n, serializable: false, minRevision: 0n };
      const page = await list(store, { ...query, ...freshness, cursor }, this.#abort);
      for (const kv of page.kvs) {
        if (keys.isImportPlan(kv.key)) plans.push(kv);
        const id = keys.importId(kv.key);
        steps.set(id, (steps.get(id) ?? 0) + 1);
      }
      if (page.next === undefined) break;
      cursor = page.next;
    }
    const found: FoundPlan[] = [];
    for (const { key } of plans) {
      const { kvs } = await store.read({ kind: 'read', range: singleKey(key) }, this.#abort);
      const id = keys.importId(key);
      for (const kv of kvs)
        found.push({ id, plan: readPlan(kv.value), progress: `${kv.modRevision} ${steps.get(id)}` });
    }
    return found;
  }
}

/** What is written in one transaction each. */
function partsOf(changes: readonly ConfigChange[]): readonly (readonly ConfigChange[])[] {
  const parts: ConfigChange[][] = [];
  let part: ConfigChange[] = [];
  let bytes = 0;
  for (const change of changes) {
    const size = change.item.key.length + change.item.value.length;
    if (part.length === STEP_ITEMS || bytes + size > STEP_BYTES || part.length === 0) {
      part = [];
      parts.push(part);
      bytes = 0;
    }
    part.push(change);
    bytes += size;
  }
  return parts;
}

/** Settles as `running` does, unless the caller leaves before. */
async function raced<T>(running: Promise<T>, { signal }: OperationOptions): Promise<T> {
  const left = Promise.withResolvers<never>();
  const leave = () => left.reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  running.catch(() => {});
  try {
    return await Promise.race([running, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
