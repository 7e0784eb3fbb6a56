import {
  ObserveResponse_Kind as Kind,
  type ObserveResponse,
} from '../../../gen/concord/election/v1/election_service_pb.ts';
import { type Collected, collect } from '../../support/collect.ts';
import type { Clients } from '../../support/open-clients.ts';

/** An Observe that is open. Disposing ends it. */
export interface ObserveStream extends Collected<ObserveResponse> {
  /** What each message but checkpoints says: `VACANT`, or the leader's token and value such as `12 anna`. */
  readonly course: readonly string[];
  /** The revisions of all messages. */
  readonly revisions: readonly bigint[];
  /** Resolves with the first message of this term. */
  sees(termToken: bigint): Promise<ObserveResponse>;
  /** Resolves with the first message, from the `from`th on, that says so. */
  seesNobody(from?: number): Promise<ObserveResponse>;
}

const TIMEOUT_MS = 40_000;

/** Opens an Observe, and resolves when the first message is there. */
export async function openObserve(
  { elections }: Clients,
  request: Parameters<Clients['elections']['observe']>[0],
): Promise<ObserveStream> {
  const controller = new AbortController();
  const stream = collect(elections.observe(request, { signal: controller.signal }), controller);
  await stream.find(() => true);
  return {
    get messages() {
      return stream.messages;
    },
    get end() {
      return stream.end;
    },
    get course() {
      return stream.messages.flatMap(({ kind, leader }) => {
        if (kind === Kind.CHECKPOINT) return [];
        return kind === Kind.VACANT ? 'VACANT' : `${leader?.termToken} ${leader?.value}`;
      });
    },
    get revisions() {
      return stream.messages.map(({ revision }) => revision);
    },
    find: stream.find,
    sees: (termToken) =>
      stream.find(({ leader }) => leader?.termToken === termToken, { timeoutMs: TIMEOUT_MS }),
    seesNobody: (from = 0) =>
      stream.find(({ kind }) => kind === Kind.VACANT, { from, timeoutMs: TIMEOUT_MS }),
    [Symbol.asyncDispose]: () => stream[Symbol.asyncDispose](),
  };
}
