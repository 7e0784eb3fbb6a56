import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { DescMethod } from '@bufbuild/protobuf';
import { ConfigService } from '../../../gen/concord/config/v1/config_service_pb.ts';
import { DiscoveryService } from '../../../gen/concord/discovery/v1/discovery_service_pb.ts';
import { LockService } from '../../../gen/concord/lock/v1/lock_service_pb.ts';
import { ALL_SERVICES } from '../all-services.ts';
import { type RawTarget, startRawTarget } from '../start-raw-target.ts';
import type { RandomCall } from './random-calls.ts';
import { type ReadAnswer, readAnswer } from './read-answer.ts';

const METHODS = ALL_SERVICES.flatMap(({ methods }): readonly DescMethod[] => methods);

const WAITING: readonly DescMethod[] = [
  LockService.method.acquire,
  DiscoveryService.method.waitFor,
  ConfigService.method.publish,
];

/** Rpcs that answer as soon as they can. */
export const PROMPT_METHODS = METHODS.filter(
  (method) => method.methodKind === 'unary' && !WAITING.includes(method),
);

/** Rpcs that wait, or go on until their deadline. */
export const WAITING_METHODS = METHODS.filter((method) => !PROMPT_METHODS.includes(method));

/** A request with an origin is a page's, and goes the library's way. */
export const BY_LIBRARY = { origin: 'http://page.example' };
/** What differs by chance, such as a lease that ends in one etcd first, does not differ each time. */
const TRY_AGAIN_AFTER_MS = [0, 100, 1_000, 3_000];

/**
 * Two gateways, each on an etcd of its own, that are sent the same calls: the one past the library, the other by it. So both have the
 * same in store whenever they are asked.
 */
export interface BothWays extends AsyncDisposable {
  /** Sends a call both ways, again where the answers differ; returns how they differ each time, undefined where they do not. */
  difference(call: RandomCall, isSame?: IsSame): Promise<string | undefined>;
  /** Throws where a gateway no longer serves, or has logged a fault of its own. */
  check(): Promise<void>;
  readonly targets: readonly RawTarget[];
}

/** Tells whether two answers say the same. */
export type IsSame = (direct: ReadAnswer, byLibrary: ReadAnswer) => boolean;

/** Starts both. */
export async function startBothWays(): Promise<BothWays> {
  await using started = new AsyncDisposableStack();
  const [direct, byLibrary] = await Promise.all([startRawTarget(), startRawTarget()]);
  started.use(direct);
  started.use(byLibrary);
  const kept = started.move();

  async function answers({ httpVersion, request, method }: RandomCall) {
    const { headers } = request;
    const sent = [
      direct.send(httpVersion, request),
      byLibrary.send(httpVersion, { ...request, headers: { ...headers, ...BY_LIBRARY } }),
    ];
    const [first, second] = await Promise.all(sent);
    if (first === undefined || second === undefined) throw new Error('there are two');
    return [readAnswer(first, method.output), readAnswer(second, method.output)] as const;
  }

  return {
    targets: [direct, byLibrary],
    async difference(call, isSame = isDeepStrictEqual) {
      let told = '';
      for (const waitMs of TRY_AGAIN_AFTER_MS) {
        if (waitMs > 0) await delay(waitMs);
        try {
          const [first, second] = await answers(call);
          if (isSame(first, second)) return undefined;
          told = `direct ${JSON.stringify(first)}, by the library ${JSON.stringify(second)}`;
        } catch (error) {
          told = String(error);
        }
      }
      return `${told} to ${tell(call)}`;
    },
    async check() {
      for (const target of [direct, byLibrary]) await target.state();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function tell({ httpVersion, request: { path, headers, body } }: RandomCall): string {
  return `HTTP/${httpVersion} ${path} ${JSON.stringify(headers)} ${Buffer.from(body).toString('hex').slice(0, 2_000)}`;
}
