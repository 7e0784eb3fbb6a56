// ElectionService of concord.election.v1: each handler is a parse, a call to the domain, and a mapping.

import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import type { LeaderSchema } from '../../../gen/concord/election/v1/election_pb.ts';
import {
  type CampaignRequest,
  CampaignResponse_State,
  type ElectionService as ElectionServiceDescriptor,
  ObserveResponse_Kind,
} from '../../../gen/concord/election/v1/election_service_pb.ts';
import type { Clock } from '../../domain/clock.ts';
import type { CampaignQuery } from '../../domain/election/campaign.ts';
import type { ElectionService } from '../../domain/election/election-service.ts';
import type { Leader } from '../../domain/election/election-state.ts';
import { freshnessOf } from '../fields/freshness.ts';
import { readSessionToken, writeSessionToken } from '../fields/session-token.ts';
import { checkpointIntervalOf, millisecondsOf, timestampOf, wholeSecondsOf } from '../fields/times.ts';

const DEFAULT_TTL_SECONDS = 15n;
const MAX_CANDIDATES = 1_000;

const STATES = {
  candidate: CampaignResponse_State.CANDIDATE,
  leader: CampaignResponse_State.LEADER,
  lost: CampaignResponse_State.LOST,
} as const;

const KINDS = {
  leader: ObserveResponse_Kind.LEADER,
  vacant: ObserveResponse_Kind.VACANT,
  checkpoint: ObserveResponse_Kind.CHECKPOINT,
} as const;

/** Creates the handlers on the domain's service. */
export function createElectionHandlers(
  elections: ElectionService,
  clock: Clock,
): ServiceImpl<typeof ElectionServiceDescriptor> {
  return {
    async *campaign(request, { signal }) {
      const purpose = ['concord.election.v1.ElectionService/Campaign', request.name];
      for await (const message of elections.campaign(campaignQuery(request, purpose), { signal })) {
        const { state, revision, position, token, session, deadlineMs } = message;
        yield {
          revision,
          state: STATES[state],
          position,
          termToken: token,
          leaseId: session.leaseId,
          ...(state !== 'lost' && {
            expireTime: timestampOf(clock, deadlineMs),
            resumeToken: writeSessionToken(session, purpose),
          }),
        };
      }
    },

    async leader(request, options) {
      const { leader, revision } = await elections.leader(request.name, freshnessOf(request), options);
      return { revision, leader: leaderMessage(leader) };
    },

    async listCandidates(request, options) {
      const state = await elections.listCandidates(request.name, freshnessOf(request), options);
      return {
        revision: state.revision,
        ...(state.leader !== undefined && { leader: leaderMessage(state.leader) }),
        candidates: state.candidates
          .slice(0, MAX_CANDIDATES)
          .map(({ value, leaseId, campaignWallMs }, position) => ({
            position,
            value,
            leaseId,
            campaignTime: timestampFromMs(campaignWallMs),
          })),
        candidateCount: state.candidates.length,
      };
    },

    async *observe({ name, checkpointInterval }, { signal }) {
      const query = { name, checkpointIntervalMs: checkpointIntervalOf(checkpointInterval) };
      for await (const message of elections.observe(query, { signal })) {
        yield {
          kind: KINDS[message.kind],
          revision: message.revision,
          ...(message.kind === 'leader' && { leader: leaderMessage(message.leader) }),
        };
      }
    },

    proclaim: ({ name, termToken, value }, options) =>
      elections.proclaim({ name, token: termToken }, value, options),

    resign: ({ name, termToken }, options) => elections.resign({ name, token: termToken }, options),

    transfer: ({ name, termToken, leaseId }, options) =>
      elections.transfer({ name, token: termToken }, leaseId, options),
  };
}

function campaignQuery(request: CampaignRequest, purpose: readonly string[]): CampaignQuery {
  const { name, value, ttl, grace, resumeToken } = request;
  if (resumeToken !== '')
    return { name, start: { kind: 'resume', session: readSessionToken(resumeToken, purpose) } };
  const ttlSeconds = ttl === undefined ? DEFAULT_TTL_SECONDS : wholeSecondsOf(ttl);
  const graceMs = grace === undefined ? 0 : millisecondsOf(grace);
  return { name, start: { kind: 'new', value, ttlSeconds, graceMs } };
}

function leaderMessage({ value, token, leaseId, leadWallMs }: Leader): MessageInitShape<typeof LeaderSchema> {
  return { value, termToken: token, leaseId, leadTime: timestampFromMs(leadWallMs) };
}
