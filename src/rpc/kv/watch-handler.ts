// KvService.Watch: parses the request, and writes the domain's messages as those of the contract.

import { create } from '@bufbuild/protobuf';
import { Event_Type, type Event as EventMessage, EventSchema } from '../../../gen/concord/kv/v1/event_pb.ts';
import {
  type WatchRequest,
  WatchRequest_Changes,
  type WatchResponse,
  WatchResponse_Kind,
  WatchResponseSchema,
} from '../../../gen/concord/kv/v1/kv_service_pb.ts';
import type { Encoding } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { type KeyRange, singleKey } from '../../domain/key-range.ts';
import type { OperationOptions, WatchSource } from '../../domain/store.ts';
import type { Change } from '../../domain/watch/change.ts';
import type { Presenter } from '../../domain/watch/open-watch.ts';
import { createView } from '../../domain/watch/view.ts';
import type { BatchedWatch, WatchMessage, WatchQuery } from '../../domain/watch/watch.ts';
import { Batched, type Batches } from '../fields/batched.ts';
import { toBytes } from '../fields/text-or-bytes.ts';
import { checkpointIntervalOf } from '../fields/times.ts';
import { keyValueMessage, optionalKeyValue, rangeOf } from './kv-messages.ts';
import { ResumeTokens, withToken } from './resume-token.ts';

/** Serves one watch. */
export type WatchHandler = (request: WatchRequest, options: OperationOptions) => Batched<WatchResponse>;

/** Creates the handler. Messages of equal views at one revision are one object, so that they can be encoded once. */
export function createWatchHandler(
  watch: BatchedWatch,
  source: Pick<WatchSource, 'clusterId'>,
): WatchHandler {
  const caches = new Map<Encoding, MessageCache>();

  async function open(request: WatchRequest, options: OperationOptions): Promise<Batches<WatchResponse>> {
    const range = watchedRange(request);
    const tokens = new ResumeTokens(range, await source.clusterId(options));
    const query = queryOf(request, range, tokens);
    const { encoding } = request;
    const cache: MessageCache = caches.get(encoding) ?? new WeakMap();
    caches.set(encoding, cache);
    return watch(query, new ResponsePresenter(encoding, tokens, cache));
  }

  return (request, options) => new Batched(() => open(request, options), options);
}

/** What all equal views are told is one object: what is made of it, in one encoding, is so too. */
type MessageCache = WeakMap<readonly Change[], WatchResponse>;

/** Writes what a watch says. */
class ResponsePresenter implements Presenter<readonly WatchResponse[]> {
  readonly #encoding: Encoding;
  readonly #tokens: ResumeTokens;
  readonly #cache: MessageCache;

  constructor(encoding: Encoding, tokens: ResumeTokens, cache: MessageCache) {
    this.#encoding = encoding;
    this.#tokens = tokens;
    this.#cache = cache;
  }

  batch(messages: readonly WatchMessage[]): readonly WatchResponse[] {
    return messages.map((message) =>
      message.kind === 'events' ? this.#shared(message, message.changes) : this.#responseOf(message),
    );
  }

  failure(error: unknown): unknown {
    return withToken(error, this.#tokens);
  }

  #shared(message: WatchMessage, changes: readonly Change[]): WatchResponse {
    const known = this.#cache.get(changes);
    if (known !== undefined) return known;
    const response = this.#responseOf(message);
    this.#cache.set(changes, response);
    return response;
  }

  #responseOf(message: WatchMessage): WatchResponse {
    return responseOf(message, this.#tokens, this.#encoding);
  }
}

function watchedRange(request: WatchRequest): KeyRange {
  const key = toBytes(request.key, request.keyBytes);
  return key.length > 0 ? singleKey(key) : rangeOf(request);
}

function queryOf(request: WatchRequest, range: KeyRange, tokens: ResumeTokens): WatchQuery {
  const { keysOnly, changedOnly, returnPrevious } = request;
  const view = createView({
    range,
    changes: changesOf(request.changes),
    glob: request.glob === '' ? undefined : request.glob,
    keysOnly,
    changedOnly,
    returnPrevious,
  });
  return {
    view,
    start: startOf(request, tokens),
    includeSnapshot: request.includeSnapshot,
    isKeysOnly: keysOnly,
    isCoalescing: request.coalesce,
    checkpointIntervalMs: checkpointIntervalOf(request.checkpointInterval),
  };
}

function startOf({ resumeToken, startRevision }: WatchRequest, tokens: ResumeTokens): WatchQuery['start'] {
  if (resumeToken !== '') return { kind: 'resume', ...tokens.read(resumeToken) };
  return startRevision === 0n ? { kind: 'now' } : { kind: 'revision', revision: startRevision };
}

function changesOf(changes: WatchRequest_Changes): 'all' | 'puts' | 'deletes' {
  switch (changes) {
    case WatchRequest_Changes.PUTS:
      return 'puts';
    case WatchRequest_Changes.DELETES:
      return 'deletes';
    default:
      return 'all';
  }
}

const KINDS = {
  snapshot: WatchResponse_Kind.SNAPSHOT,
  synced: WatchResponse_Kind.SYNCED,
  events: WatchResponse_Kind.EVENTS,
  checkpoint: WatchResponse_Kind.CHECKPOINT,
  resync: WatchResponse_Kind.RESYNC,
} as const;

const TYPES = {
  created: Event_Type.CREATED,
  updated: Event_Type.UPDATED,
  deleted: Event_Type.DELETED,
  expired: Event_Type.EXPIRED,
} as const;

function responseOf(message: WatchMessage, tokens: ResumeTokens, encoding: Encoding): WatchResponse {
  const { kind, revision } = message;
  const response = create(WatchResponseSchema);
  response.kind = KINDS[kind];
  response.revision = revision;
  response.resumeToken = tokens.write({ revision, isPartial: isPartial(message) });
  if (kind === 'snapshot') response.kvs = message.kvs.map((kv) => keyValueMessage(kv, encoding));
  if (kind === 'events' || kind === 'resync') {
    response.events = (message.changes ?? []).map((change) => eventMessage(change, encoding));
  }
  return response;
}

/** A snapshot follows, or goes on: who comes back with this message's token needs all of it anew. */
function isPartial(message: WatchMessage): boolean {
  return message.kind === 'snapshot' || (message.kind === 'resync' && message.changes === undefined);
}

function eventMessage({ type, kv, previous }: Change, encoding: Encoding): EventMessage {
  return create(EventSchema, {
    type: TYPES[type],
    kv: keyValueMessage(kv, encoding),
    ...optionalKeyValue(previous, encoding),
  });
}
