import { timestampMs } from '@bufbuild/protobuf/wkt';
import { expect } from 'vitest';
import {
  type CampaignResponse,
  CampaignResponse_StateSchema,
  CampaignResponse_State as State,
} from '../../../gen/concord/election/v1/election_service_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import { eventually } from '../../support/eventually.ts';
import { type Failure, failureOf } from '../../support/failure-of.ts';
import type { Clients } from '../../support/open-clients.ts';

/** A Campaign that is open. Disposing ends it. */
export interface CampaignStream extends Collected<CampaignResponse> {
  /** What came last; throws where nothing came. */
  readonly last: CampaignResponse;
  /** State and position of each message, such as `CANDIDATE 1`; what only says that the lease was renewed is left out. */
  readonly course: readonly string[];
  /** When the lease ends by each message, in milliseconds since 1970. */
  readonly expireTimesMs: readonly number[];
  /** Resolves with the first message that says so. */
  leads(timeoutMs?: number): Promise<CampaignResponse>;
  /** Resolves with the first message that gives this position. */
  waitsAt(position: number): Promise<CampaignResponse>;
  /** Resolves when so many further messages came. */
  goesOn(messages: number): Promise<void>;
  /** Resolves when the stream has ended after STATE_LOST. */
  isLost(): Promise<void>;
  /** Resolves with what the stream failed with. */
  failure(): Promise<Failure>;
}

const TIMEOUT_MS = 40_000;

/** Opens a Campaign. */
export function openCampaign(
  { elections }: Clients,
  request: Parameters<Clients['elections']['campaign']>[0],
): CampaignStream {
  const controller = new AbortController();
  const stream = collect(elections.campaign(request, { signal: controller.signal }), controller);
  const ended = () =>
    eventually(() => {
      if (stream.end === undefined) throw new Error('the stream goes on');
      return stream.end;
    }, TIMEOUT_MS);
  return {
    get messages() {
      return stream.messages;
    },
    get end() {
      return stream.end;
    },
    get last() {
      const last = stream.messages.at(-1);
      if (last === undefined) throw new Error('nothing came');
      return last;
    },
    get course() {
      const words = stream.messages.map(({ state, position }) => {
        const word = CampaignResponse_StateSchema.value[state]?.localName ?? '';
        return state === State.CANDIDATE ? `${word} ${position}` : word;
      });
      return words.filter((word, i) => word !== words[i - 1]);
    },
    get expireTimesMs() {
      return stream.messages.flatMap(({ expireTime }) =>
        expireTime === undefined ? [] : timestampMs(expireTime),
      );
    },
    find: stream.find,
    leads: (timeoutMs = TIMEOUT_MS) => stream.find(({ state }) => state === State.LEADER, { timeoutMs }),
    waitsAt: (place) =>
      stream.find(({ state, position }) => state === State.CANDIDATE && position === place, {
        timeoutMs: TIMEOUT_MS,
      }),
    async goesOn(messages) {
      const { length } = stream.messages;
      await eventually(
        () => expect(stream.messages.length).toBeGreaterThanOrEqual(length + messages),
        TIMEOUT_MS,
      );
    },
    async isLost() {
      expect(await ended()).toEqual({ error: undefined });
      expect(stream.messages.at(-1)).toMatchObject({ state: State.LOST, position: 0, resumeToken: '' });
    },
    failure: async () => failureOf(Promise.reject((await ended()).error)),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}

/** Opens a Campaign, and resolves when it leads. */
export async function openLeader(
  clients: Clients,
  request: Parameters<Clients['elections']['campaign']>[0],
): Promise<CampaignStream> {
  const campaign = openCampaign(clients, request);
  await campaign.leads();
  return campaign;
}

/** Opens a Campaign, and resolves when it waits, or leads: its place is taken then. */
export async function openCandidate(
  clients: Clients,
  request: Parameters<Clients['elections']['campaign']>[0],
): Promise<CampaignStream> {
  const campaign = openCampaign(clients, request);
  await campaign.find(() => true);
  return campaign;
}
