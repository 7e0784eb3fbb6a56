// The Watch of ConfigService: what is sent, and that everybody knows who watches.

import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { ConfigChange as ConfigChangeMessage } from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  type WatchRequest,
  WatchResponse_Kind,
  type WatchResponseSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { Clock } from '../../domain/clock.ts';
import type { ConfigChange } from '../../domain/config/config-item.ts';
import type { ConfigKeys } from '../../domain/config/config-keys.ts';
import type { ConfigService } from '../../domain/config/config-service.ts';
import { layersOf } from '../../domain/config/resolve.ts';
import type { ConfigWatchMessage } from '../../domain/config/watch-config.ts';
import type { WatchSource } from '../../domain/store.ts';
import { checkpointIntervalOf } from '../fields/times.ts';
import { ResumeTokens, withToken } from '../kv/resume-token.ts';
import { createItemMessages } from './item-messages.ts';
import type { Reveal } from './reveal.ts';

/** Serves one watch. */
export type ConfigWatchHandler = (
  request: WatchRequest,
  context: Pick<HandlerContext, 'signal' | 'requestHeader'>,
) => AsyncGenerator<MessageInitShape<typeof WatchResponseSchema>>;

/** What the handler needs. */
export interface ConfigWatchHandlerDeps {
  readonly config: ConfigService;
  readonly keys: ConfigKeys;
  readonly source: Pick<WatchSource, 'clusterId'>;
  readonly clock: Clock;
  readonly reveal: Reveal;
}

/** What the messages of a view are made for. */
interface EventsView {
  readonly tokens: ResumeTokens;
  readonly purpose: string;
  readonly isRevealed: boolean;
}

/** What all subscribers of a view are sent of some changes. */
interface SharedEvents {
  readonly resumeToken: string;
  readonly changes: ConfigChangeMessage[];
}

const KINDS = {
  snapshot: WatchResponse_Kind.SNAPSHOT,
  synced: WatchResponse_Kind.SYNCED,
  events: WatchResponse_Kind.EVENTS,
  checkpoint: WatchResponse_Kind.CHECKPOINT,
  resync: WatchResponse_Kind.RESYNC,
} as const;

/** Creates the handler. */
export function createConfigWatchHandler({
  config,
  keys,
  source,
  clock,
  reveal,
}: ConfigWatchHandlerDeps): ConfigWatchHandler {
  const messages = createItemMessages(config.vault);
  // Subscribers of one view are told the same changes, which are made into messages once. What is revealed is not kept.
  const shared = new WeakMap<readonly ConfigChange[], Map<string, SharedEvents>>();
  const eventsOf = (
    { changes, revision }: Extract<ConfigWatchMessage, { readonly kind: 'events' }>,
    { tokens, purpose, isRevealed }: EventsView,
  ): SharedEvents => {
    const byPurpose = shared.get(changes) ?? new Map<string, SharedEvents>();
    const known = isRevealed ? undefined : byPurpose.get(purpose);
    if (known !== undefined) return known;
    const events = {
      resumeToken: tokens.write({ revision, isPartial: false }),
      changes: changes.map((change) => messages.change(change, isRevealed)),
    };
    if (!isRevealed) shared.set(changes, byPurpose.set(purpose, events));
    return events;
  };

  return async function* watch(request, context) {
    const { application, effective, resumeToken, checkpointInterval } = request;
    const { signal } = context;
    const isRevealed = reveal(request, context);
    const profiles = layersOf(request.profiles).slice(1);
    const purpose = JSON.stringify([effective, ...profiles]);
    const clusterId = await source.clusterId({ signal });
    const tokens = new ResumeTokens(keys.historyOf(application), clusterId, purpose);
    const start =
      resumeToken === ''
        ? ({ kind: 'now' } as const)
        : ({ kind: 'resume', ...tokens.read(resumeToken) } as const);
    const details = {
      name: request.subscriber,
      profiles,
      isEffective: effective,
      connectWallMs: clock.wallMs(),
    };
    const subscriber = config.subscribe(application, randomUUID(), details);
    try {
      await subscriber.isKnown;
      const query = {
        application,
        profiles,
        isEffective: effective,
        start,
        checkpointIntervalMs: checkpointIntervalOf(checkpointInterval),
      };
      for await (const message of config.watch(query, { signal })) {
        const { kind, revision } = message;
        const isPartial = kind === 'snapshot' || kind === 'resync';
        yield {
          kind: KINDS[kind],
          revision,
          subscriberId: subscriber.id,
          ...(kind === 'events'
            ? eventsOf(message, { tokens, purpose, isRevealed })
            : { resumeToken: tokens.write({ revision, isPartial }) }),
          ...(kind === 'snapshot' && {
            items: message.items.map((item) => messages.item(item, isRevealed)),
          }),
        };
        // The next message is asked for when this one was taken.
        if (!isPartial) subscriber.sent(revision);
      }
    } catch (error) {
      throw withToken(error, tokens);
    } finally {
      subscriber.close();
    }
  };
}
