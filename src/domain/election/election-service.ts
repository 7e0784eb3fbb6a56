// Elections: what ElectionService of the contract does.
// How one comes to lead stands in src/domain/election/campaign.ts; here is what a leader may do, and what others see.

import type { Clock } from '../clock.ts';
import { createdAt, isSomeKeyIn } from '../conditions.ts';
import { DomainError } from '../errors.ts';
import { leaderKey } from '../fence.ts';
import { singleKey } from '../key-range.ts';
import { endLease } from '../lease/end-lease.ts';
import type { FadingLease } from '../lease/fading-lease.ts';
import { type Freshness, freshRead } from '../reading/fresh-read.ts';
import type { Sessions } from '../session/sessions.ts';
import type {
  AtRevision,
  KeyValue,
  KeyValueStore,
  LeaseStore,
  OperationOptions,
  OperationResult,
  ReadOperation,
} from '../store.ts';
import type { Watch } from '../watch/watch.ts';
import { type CampaignMessage, type CampaignQuery, campaign } from './campaign.ts';
import { ElectionFollowers } from './election-followers.ts';
import { candidateKey, electionRange, resignedKey, transferKey } from './election-keys.ts';
import { type ElectionState, electionState, type Leader, readLeader, standValue } from './election-state.ts';
import { type ObserveMessage, observe } from './observe.ts';

/** Runs elections. Every method also rejects as {@link KeyValueStore} does. */
export interface ElectionService {
  /** See {@link campaign}. */
  campaign(query: CampaignQuery, options: OperationOptions): AsyncGenerator<CampaignMessage>;
  /** Rejects with NO_LEADER. */
  leader(
    name: string,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<{ readonly leader: Leader }>>;
  listCandidates(
    name: string,
    freshness: Freshness,
    options: OperationOptions,
  ): Promise<AtRevision<ElectionState>>;
  observe(
    query: { readonly name: string; readonly checkpointIntervalMs: number },
    options: OperationOptions,
  ): AsyncGenerator<ObserveMessage>;
  /** Rejects with NOT_LEADER. */
  proclaim(term: Term, value: string, options: OperationOptions): Promise<{ readonly revision: bigint }>;
  /** Rejects with NOT_LEADER where the term neither lasts nor was resigned a moment ago. */
  resign(term: Term, options: OperationOptions): Promise<{ readonly revision: bigint }>;
  /** Rejects with NOT_LEADER or CANDIDATE_NOT_FOUND. */
  transfer(term: Term, toLeaseId: bigint, options: OperationOptions): Promise<{ readonly revision: bigint }>;
}

/** One leadership. */
export interface Term {
  readonly name: string;
  readonly token: bigint;
}

/** What the service needs. */
export interface ElectionServiceDeps {
  readonly store: KeyValueStore;
  readonly leases: LeaseStore;
  readonly watch: Watch;
  readonly sessions: Sessions;
  readonly fadingLease: FadingLease;
  readonly clock: Clock;
}

/** For how long the end of a lease is tried again. */
const END_SECONDS = 60n;

/** Creates the service. */
export function createElectionService(deps: ElectionServiceDeps): ElectionService {
  const { store, watch, fadingLease } = deps;
  const followers = new ElectionFollowers(watch);

  /** The leader's key, while the term lasts, and the other keys. */
  async function readTerm(
    { name, token }: Term,
    others: readonly Uint8Array[],
    options: OperationOptions,
  ): Promise<
    AtRevision<{ readonly leader: KeyValue | undefined; readonly found: readonly (KeyValue | undefined)[] }>
  > {
    const success = [leaderKey(name), ...others].map(
      (key): ReadOperation => ({ kind: 'read', range: singleKey(key) }),
    );
    const { results, revision } = await store.txn(
      { kind: 'txn', compares: [], success, failure: [] },
      options,
    );
    const [leader, ...found] = results.map(onlyKey);
    return { leader: leader?.createRevision === token ? leader : undefined, found, revision };
  }

  return {
    campaign: (query, options) => campaign({ ...deps, followers }, query, options),

    async leader(name, freshness, options) {
      const range = singleKey(leaderKey(name));
      const { kvs, revision } = await freshRead(
        (serializable) => store.read({ kind: 'read', range, serializable }, options),
        freshness,
      );
      const [leader] = kvs;
      if (leader === undefined) throw noLeader(name);
      return { leader: readLeader(leader), revision };
    },

    async listCandidates(name, freshness, options) {
      const range = electionRange(name);
      const { kvs, revision } = await freshRead(
        (serializable) => store.read({ kind: 'read', range, serializable }, options),
        freshness,
      );
      return { ...electionState(name, kvs), revision };
    },

    observe: (query, options) => observe(watch, query, options),

    async proclaim(term, value, options) {
      const { leader } = await readTerm(term, [], options);
      if (leader === undefined) throw notLeader(term);
      const { leadWallMs, leaseId } = readLeader(leader);
      const put = { kind: 'put', key: leader.key, value: standValue(value, leadWallMs), leaseId } as const;
      const compares = [createdAt(leader.key, term.token)];
      const { succeeded, revision } = await store.txn(
        { kind: 'txn', compares, success: [put], failure: [] },
        options,
      );
      if (!succeeded) throw notLeader(term);
      return { revision };
    },

    async resign(term, options) {
      const resigned = resignedKey(term.name, term.token);
      const { leader, found, revision: readAt } = await readTerm(term, [resigned.key], options);
      if (found[0] !== undefined) return { revision: readAt };
      if (leader === undefined) throw notLeader(term);
      const deletion = { kind: 'delete', range: singleKey(leader.key) } as const;
      const remembered = { kind: 'put', key: resigned.key, value: new Uint8Array() } as const;
      const compares = [createdAt(leader.key, term.token)];
      const failure = [{ kind: 'read', range: resigned, view: 'keys' } as const];
      const { succeeded, results, revision } = await fadingLease((leaseId) => {
        const success = [deletion, { ...remembered, leaseId }];
        return store.txn({ kind: 'txn', compares, success, failure }, options);
      }, options);
      if (!succeeded && onlyKey(results[0]) === undefined) throw notLeader(term);
      void endLease(deps, { leaseId: leader.leaseId, ttlSeconds: END_SECONDS });
      return { revision };
    },

    async transfer(term, toLeaseId, options) {
      const { name } = term;
      const candidate = candidateKey(name, toLeaseId);
      const { leader, found } = await readTerm(term, [candidate], options);
      if (leader === undefined) throw notLeader(term);
      if (found[0] === undefined) throw candidateNotFound(name, toLeaseId);
      const next = {
        kind: 'put',
        key: transferKey(name),
        value: new Uint8Array(),
        leaseId: toLeaseId,
      } as const;
      const { succeeded, results, revision } = await store.txn(
        {
          kind: 'txn',
          compares: [createdAt(leader.key, term.token), isSomeKeyIn(singleKey(candidate))],
          success: [{ kind: 'delete', range: singleKey(leader.key) }, next],
          failure: [{ kind: 'read', range: singleKey(leader.key), view: 'keys' }],
        },
        options,
      );
      if (!succeeded) {
        const isLeading = onlyKey(results[0])?.createRevision === term.token;
        throw isLeading ? candidateNotFound(name, toLeaseId) : notLeader(term);
      }
      void endLease(deps, { leaseId: leader.leaseId, ttlSeconds: END_SECONDS });
      return { revision };
    },
  };
}

function onlyKey(result: OperationResult | undefined): KeyValue | undefined {
  return result?.kind === 'read' ? result.kvs[0] : undefined;
}

function noLeader(name: string): DomainError {
  return new DomainError('NO_LEADER', `Nobody leads election "${name}"; observe it to see who will`, {
    election: name,
  });
}

function notLeader({ name, token }: Term): DomainError {
  return new DomainError('NOT_LEADER', `Token ${token} does not lead election "${name}"; nothing was done`, {
    election: name,
    term_token: String(token),
  });
}

function candidateNotFound(name: string, leaseId: bigint): DomainError {
  return new DomainError(
    'CANDIDATE_NOT_FOUND',
    `Lease ${leaseId} is not that of a candidate of election "${name}"; nothing was done`,
    { election: name, lease_id: String(leaseId) },
  );
}
