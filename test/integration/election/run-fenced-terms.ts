// Candidates that lead in turn and write as they do, while members of the cluster, connections and gateways go wrong.

import { randomUUID } from 'node:crypto';
import type { CampaignResponse } from '../../../gen/concord/election/v1/election_service_pb.ts';
import { makeClusterTrouble } from '../../support/make-cluster-trouble.ts';
import { openClients } from '../../support/open-clients.ts';
import { startEtcdCluster } from '../../support/start-etcd-cluster.ts';
import { startReplaceableGateway } from '../../support/start-replaceable-gateway.ts';
import { type FencedWrite, runLeadingClient } from './leading-client.ts';
import { readTermHistory, type TermHistory } from './term-history.ts';

/** What is run. */
export interface FencedTermsOptions {
  /** How many writes are to be acknowledged. */
  readonly writes: number;
  /** @default 10 */
  readonly candidates?: number;
  /** @default 3 */
  readonly gateways?: number;
  /** The time between two faults, in milliseconds. @default 1500 */
  readonly faultEveryMs?: number;
}

/** How it went. */
export interface FencedTermsOutcome {
  /** What was found wrong, in words; empty: nothing. */
  readonly faults: readonly string[];
  readonly terms: number;
  readonly acknowledged: number;
  /** Writes whose outcome nobody was told. */
  readonly unknown: number;
  /** Writes that were kept out by their fence. */
  readonly fencedOff: number;
  /** How often something was harmed. */
  readonly harms: number;
}

/** Runs it. */
export async function runFencedTerms(options: FencedTermsOptions): Promise<FencedTermsOutcome> {
  const { candidates = 10, gateways = 3, faultEveryMs = 1_500 } = options;
  await using started = new AsyncDisposableStack();
  const cluster = started.use(await startEtcdCluster(3));
  const replicas = await Promise.all(
    Array.from({ length: gateways }, async () => started.use(await startReplaceableGateway(cluster))),
  );
  const election = randomUUID();
  const told: CampaignResponse[] = [];
  const writes: FencedWrite[] = [];
  const count = (outcome: FencedWrite['outcome']) =>
    writes.filter((write) => write.outcome === outcome).length;

  const over = new AbortController();
  const trouble = makeClusterTrouble(cluster, replicas, { everyMs: faultEveryMs, signal: over.signal });
  try {
    await Promise.all(
      Array.from({ length: candidates }, (_, i) =>
        runLeadingClient({
          election,
          // Neighbours begin at different gateways.
          gateways: replicas.map((__, j) => openClients(frontOf(replicas, i + j))),
          goesOn: () => count('acknowledged') < options.writes,
          told: (message) => void told.push(message),
          wrote: (write) => void writes.push(write),
        }),
      ),
    );
  } finally {
    over.abort();
  }
  const harms = await trouble;
  const history = await readTermHistory(cluster.endpoints, election);
  return {
    faults: [...history.faults, ...judgeTold(told, history), ...judgeWrites(writes, history)],
    terms: history.terms.size,
    acknowledged: count('acknowledged'),
    unknown: count('unknown'),
    fencedOff: count('lost'),
    harms,
  };
}

/** Who is told to lead has done so at that revision, by that token and lease. */
function judgeTold(told: readonly CampaignResponse[], { terms }: TermHistory): readonly string[] {
  return told.flatMap(({ termToken, leaseId, revision }) => {
    const term = terms.get(termToken);
    if (term === undefined) return `token ${termToken} was told, and no term has it`;
    if (term.leaseId !== leaseId) return `token ${termToken} was told to ${leaseId}, not ${term.leaseId}`;
    if (revision < termToken || revision >= (term.endRevision ?? revision + 1n))
      return `token ${termToken} was told at ${revision}, and the term ended at ${term.endRevision}`;
    return [];
  });
}

/** What was acknowledged has happened, at that revision and with that token. */
function judgeWrites(written: readonly FencedWrite[], { writes }: TermHistory): readonly string[] {
  return written.flatMap(({ token, revision, outcome }) => {
    if (outcome !== 'acknowledged' || writes.get(revision) === token) return [];
    return `token ${token} was told that it wrote at ${revision}, and ${writes.get(revision)} did`;
  });
}

function frontOf(
  replicas: readonly { readonly front: { readonly endpoint: string } }[],
  index: number,
): string {
  const replica = replicas[index % replicas.length];
  if (replica === undefined) throw new Error('there are none');
  return replica.front.endpoint;
}
