// One of many who campaign, write as long as they lead, and give it up in one way or another, whatever happens to their gateways.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type CampaignResponse,
  CampaignResponse_State as State,
} from '../../../gen/concord/election/v1/election_service_pb.ts';
import { failureOf } from '../../support/failure-of.ts';
import type { Clients } from '../../support/open-clients.ts';
import { fencedKey } from './term-history.ts';

/** What became of one write. */
export interface FencedWrite {
  readonly token: bigint;
  /** At which it happened; 0n where it is not known to have. */
  readonly revision: bigint;
  /** `lost`: its token did not lead any more; nothing was written. */
  readonly outcome: 'acknowledged' | 'unknown' | 'lost';
}

/** A client at work. */
export interface LeadingClient {
  readonly election: string;
  /** Of each gateway; those after the first where one fails. */
  readonly gateways: readonly Clients[];
  /** Asked before each round. */
  readonly goesOn: () => boolean;
  /** It was told that it leads. */
  readonly told: (message: CampaignResponse) => void;
  readonly wrote: (write: FencedWrite) => void;
}

const TTL = { seconds: 3n };
const GRACE = { seconds: 2n };
const WAIT_MS = 60_000;
const CALL_TIMEOUT_MS = 10_000;
const REST_MS = 50;
const PAUSE_MS = 20;
const WRITES = 5;
const ENDINGS = ['resign', 'break off', 'transfer', 'stay'] as const;

/** Campaigns over and over. */
export async function runLeadingClient(client: LeadingClient): Promise<void> {
  let turn = 0;
  let resumeToken = '';
  for (let round = 0; client.goesOn(); round++) {
    const clients = client.gateways[turn % client.gateways.length];
    if (clients === undefined) throw new Error('there is no gateway');
    const ending = ENDINGS[round % ENDINGS.length] ?? 'resign';
    const request =
      resumeToken === ''
        ? { name: client.election, ttl: TTL, ...(round % 2 === 0 && { grace: GRACE }) }
        : { name: client.election, resumeToken };
    const last = await campaign(clients, client, request, ending);
    // Somebody may lead by now: then nothing is written.
    if (last.token !== 0n) client.wrote(await write(clients, client.election, last.token));
    // A stream that broke is taken up at the next gateway; one that was done with begins anew.
    resumeToken = last.isBroken ? last.resumeToken : '';
    if (!last.isBroken) continue;
    turn += 1;
    await delay(REST_MS);
  }
}

async function campaign(
  clients: Clients,
  client: LeadingClient,
  request: Parameters<Clients['elections']['campaign']>[0],
  ending: (typeof ENDINGS)[number],
): Promise<{ readonly isBroken: boolean; readonly resumeToken: string; readonly token: bigint }> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), WAIT_MS);
  let resumeToken = '';
  let token = 0n;
  let hasWritten = false;
  try {
    for await (const message of clients.elections.campaign(request, controller)) {
      ({ resumeToken } = message);
      if (message.state !== State.LEADER) continue;
      client.told(message);
      token = message.termToken;
      if (hasWritten) return { isBroken: false, resumeToken, token };
      for (let i = 0; i < WRITES; i++) {
        client.wrote(await write(clients, client.election, message.termToken));
        await delay(PAUSE_MS);
      }
      hasWritten = true;
      // Who stays gives it up after the next renewal; the others are told that it is lost.
      if (ending === 'break off') return { isBroken: false, resumeToken, token };
      if (ending !== 'stay') await giveUp(clients, client.election, message.termToken, ending);
    }
    return { isBroken: false, resumeToken, token };
  } catch (error) {
    // A session that is over is not resumed again.
    const { reason } = await failureOf(Promise.reject(error)).catch(() => ({ reason: '' }));
    const isOver = reason === 'SESSION_NOT_FOUND' || reason === 'SESSION_TAKEN_OVER';
    const before = typeof request.resumeToken === 'string' ? request.resumeToken : '';
    return { isBroken: true, resumeToken: isOver ? '' : resumeToken || before, token };
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

async function giveUp(
  { elections }: Clients,
  name: string,
  termToken: bigint,
  ending: 'resign' | 'transfer',
): Promise<void> {
  const options = { timeoutMs: CALL_TIMEOUT_MS };
  const { candidates } = await elections.listCandidates({ name }, options);
  const chosen = candidates.at(-1);
  if (ending === 'resign' || chosen === undefined) await elections.resign({ name, termToken }, options);
  else await elections.transfer({ name, termToken, leaseId: chosen.leaseId }, options);
}

async function write({ kv }: Clients, election: string, token: bigint): Promise<FencedWrite> {
  const fence = { holder: { case: 'election', value: election }, token } as const;
  try {
    const { revision } = await kv.put(
      { key: fencedKey(election), value: String(token), fence },
      { timeoutMs: CALL_TIMEOUT_MS },
    );
    return { token, revision, outcome: 'acknowledged' };
  } catch (error) {
    // A connection that broke gives no reason.
    const { reason } = await failureOf(Promise.reject(error)).catch(() => ({ reason: '' }));
    return { token, revision: 0n, outcome: reason === 'FENCE_LOST' ? 'lost' : 'unknown' };
  }
}
