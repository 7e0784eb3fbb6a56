// The Watch of ConfigService: what is sent, and that everybody knows who watches.

import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type WatchRequest,
  WatchResponse_Kind,
  type WatchResponseSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { Clock } from '../../domain/clock.ts';
import type { ConfigKeys } from '../../domain/config/config-keys.ts';
import type { ConfigService } from '../../domain/config/config-service.ts';
import { layersOf } from '../../domain/config/resolve.ts';
import type { WatchSource } from '../../domain/store.ts';
import { checkpointIntervalOf } from '../fields/times.ts';
import { createResumeTokens } from '../kv/resume-token.ts';
import { changeMessage, itemMessage } from './config-messages.ts';
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
  const { vault } = config;

  return async function* watch(request, context) {
    const { application, effective, resumeToken, checkpointInterval } = request;
    const { signal } = context;
    const isRevealed = reveal(request, context);
    const profiles = layersOf(request.profiles).slice(1);
    const purpose = JSON.stringify([effective, ...profiles]);
    const clusterId = await source.clusterId({ signal });
    const tokens = createResumeTokens(keys.historyOf(application), clusterId, purpose);
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
          resumeToken: tokens.write({ revision, isPartial }),
          subscriberId: subscriber.id,
          ...(kind === 'snapshot' && {
            items: message.items.map((item) => itemMessage(vault.show(item, item, isRevealed))),
          }),
          ...(kind === 'events' && {
            changes: message.changes.map((change) => changeMessage(change, vault, isRevealed)),
          }),
        };
        // The next message is asked for when this one was taken.
        if (!isPartial) subscriber.sent(revision);
      }
    } finally {
      subscriber.close();
    }
  };
}
