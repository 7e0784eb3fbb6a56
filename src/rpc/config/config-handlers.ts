// ConfigService of concord.config.v1: each handler is a parse, a call to the domain, and a mapping.

import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import {
  type ConfigService as ConfigServiceDescriptor,
  type Delivery,
  HistoryRequestSchema,
  type ItemToPut,
  ListRequestSchema,
  ListSubscribersRequestSchema,
  type PutRequest,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { Fence as FenceMessage } from '../../../gen/concord/kv/v1/fence_pb.ts';
import type { ConfigChange, ItemName } from '../../domain/config/config-item.ts';
import type { ConfigService } from '../../domain/config/config-service.ts';
import type { EditConditions } from '../../domain/config/edit-items.ts';
import type { Edit } from '../../domain/config/plan-edit.ts';
import type { OperationOptions } from '../../domain/store.ts';
import { freshnessOf } from '../fields/freshness.ts';
import { readPosition, writePosition } from '../fields/position-token.ts';
import { toBytes } from '../fields/text-or-bytes.ts';
import { millisecondsOf } from '../fields/times.ts';
import { fenceOf } from '../kv/kv-messages.ts';
import { cursorOf, pageBinding, readPageToken, writePageToken } from '../kv/page-token.ts';
import {
  contentTypeOf,
  diffQueryOf,
  formatOf,
  nameOf,
  profileOf,
  schemaMessage,
  subscriberMessage,
  targetOf,
  versionMessage,
} from './config-messages.ts';
import type { ConfigWatchHandler } from './config-watch-handler.ts';
import { createItemMessages } from './item-messages.ts';
import type { Reveal } from './reveal.ts';

/** What the handlers need. */
export interface ConfigHandlersDeps {
  readonly config: ConfigService;
  readonly watch: ConfigWatchHandler;
  readonly reveal: Reveal;
}

const DEFAULT_PAGE_SIZE = 100;
const MAX_CHANGES = 1_000;
/** Of the values in them: every client's default message limit (4 MiB) takes it. */
const MAX_CHANGES_BYTES = 2 * 1024 * 1024;
const DEFAULT_DELIVERY_PERCENT = 100;
const DEFAULT_DELIVERY_MS = 5_000;
/** What a caller who waits for subscribers has left to receive the answer. */
const ANSWER_MS = 250;

/** Creates the handlers on the domain's service. */
export function createConfigHandlers({
  config,
  watch,
  reveal,
}: ConfigHandlersDeps): ServiceImpl<typeof ConfigServiceDescriptor> {
  const { vault } = config;
  const messages = createItemMessages(vault);
  const changeOf = (change: ConfigChange) => messages.change(change, false);

  async function editOne(name: ItemName, edit: Edit, conditions: EditConditions, options: OperationOptions) {
    const { application, profile } = name;
    const { changes, revision } = await config.edit(
      { application, profile, edits: [edit], ...conditions, skipUnchanged: false, isDryRun: false },
      options,
    );
    return { change: changes[0], revision };
  }

  return {
    watch,

    async get(request, context) {
      const isRevealed = reveal(request, context);
      const { item, revision } = await config.get(nameOf(request), freshnessOf(request), context);
      return { revision, item: messages.item(item, isRevealed) };
    },

    async list(request, context) {
      const isRevealed = reveal(request, context);
      const binding = pageBinding(ListRequestSchema, request);
      const { items, totalSize, next, revision } = await config.list(
        {
          application: request.application,
          profile: profileOf(request.profile),
          prefix: request.prefix,
          pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
          cursor: cursorOf(readPageToken(request.pageToken, binding)),
          ...freshnessOf(request),
        },
        context,
      );
      return {
        revision,
        items: items.map((item) => messages.item(item, isRevealed)),
        nextPageToken: next === undefined ? '' : writePageToken({ ...next, key: next.after }, binding),
        totalSize,
      };
    },

    async listApplications(request, context) {
      const { prefix, pageToken, pageSize } = request;
      const binding = Buffer.from(`concord.config.v1.ListApplicationsRequest ${prefix}`);
      const { applications, next, revision } = await config.listApplications(
        {
          ...freshnessOf(request),
          prefix,
          after: readPosition(pageToken, binding),
          pageSize: pageSize || DEFAULT_PAGE_SIZE,
        },
        context,
      );
      return {
        revision,
        applications: applications.map(({ profiles, ...numbers }) => ({
          ...numbers,
          profiles: [...profiles],
        })),
        nextPageToken: writePosition(next, binding),
      };
    },

    async put(request, context) {
      const edit = putOf(request);
      const { change, revision } = await editOne(nameOf(request), edit, conditionsOf(request), context);
      if (change === undefined) throw new Error('a put wrote nothing');
      const { item } = change;
      return { revision, item: messages.item(item, false) };
    },

    async delete(request, context) {
      const { key, expectedRevision } = request;
      const edit = { kind: 'delete', key, expectedRevision } as const;
      const { change, revision } = await editOne(nameOf(request), edit, conditionsOf(request), context);
      return { revision, deleted: change !== undefined, version: BigInt(change?.item.version ?? 0) };
    },

    async publish(request, context) {
      const { application, puts, deletes, dryRun, delivery, expectedRevision } = request;
      const profile = profileOf(request.profile);
      const edits = [
        ...puts.map(putOf),
        ...deletes.map((key): Edit => ({ kind: 'delete', key, expectedRevision: undefined })),
      ];
      const conditions = { ...conditionsOf(request), expectedRevision };
      const { changes, revision } = await config.edit(
        { application, profile, edits, ...conditions, skipUnchanged: true, isDryRun: dryRun },
        context,
      );
      const query = { application, profile, revision: changes.length === 0 ? undefined : revision };
      const report =
        delivery === undefined || dryRun
          ? undefined
          : await config.awaitDelivery({ ...query, ...deliveryOf(delivery, context) }, context);
      return {
        revision,
        changes: withinBytes(changes).map(changeOf),
        ...(report !== undefined && { delivery: { ...report, reached: report.isReached } }),
      };
    },

    async history(request, context) {
      const isRevealed = reveal(request, context);
      const binding = pageBinding(HistoryRequestSchema, request);
      const name = nameOf(request);
      const page = {
        pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
        cursor: cursorOf(readPageToken(request.pageToken, binding)),
      };
      const { versions, next, revision } = await config.versions(name, page, context);
      return {
        revision,
        versions: versions.map((version) => versionMessage(vault.show(name, version, isRevealed))),
        nextPageToken: next === undefined ? '' : writePageToken({ ...next, key: next.after }, binding),
      };
    },

    async getVersion(request, context) {
      const isRevealed = reveal(request, context);
      const name = nameOf(request);
      const { version, revision } = await config.version(name, Number(request.version), context);
      return { revision, version: versionMessage(vault.show(name, version, isRevealed)) };
    },

    async diff(request, context) {
      const { changes, revision } = await config.diff(diffQueryOf(request), context);
      const shown = firstChanges(changes);
      return { revision, changes: shown.map(changeOf), truncated: changes.length > shown.length };
    },

    async rollback(request, context) {
      const conditions = { ...conditionsOf(request), expectedRevision: request.expectedRevision };
      const { change, revision } = await config.rollback(
        nameOf(request),
        Number(request.version),
        conditions,
        context,
      );
      return { revision, item: messages.item(change.item, false) };
    },

    async resolve(request, context) {
      const isRevealed = reveal(request, context);
      const { application, profiles } = request;
      const { items, revision } = await config.resolve(application, profiles, freshnessOf(request), context);
      return { revision, items: items.map((resolved) => messages.resolved(resolved, isRevealed)) };
    },

    async setSchema(request, context) {
      const { application, schema, expectedRevision } = request;
      const { violations, revision } = await config.setSchema(
        { application, target: targetOf(request), schema, expectedRevision, fence: fenceOf(request.fence) },
        context,
      );
      return {
        revision,
        violations: violations.map(({ name: { profile, key }, problem: { message, path, line } }) => ({
          profile,
          key,
          path,
          line,
          description: message,
        })),
      };
    },

    async getSchema(request, context) {
      const { application, key } = request;
      const { schemas, revision } = await config.schemas(application, key, freshnessOf(request), context);
      return { revision, schemas: schemas.map(schemaMessage) };
    },

    async export(request, context) {
      const isRevealed = reveal(request, context);
      const { application, format } = request;
      const query = { application, profile: profileOf(request.profile), format: formatOf(format) };
      const { text, redactedKeys, revision } = await config.export({ ...query, reveal: isRevealed }, context);
      return { revision, text, redactedKeys: [...redactedKeys] };
    },

    async import(request, context) {
      const { application, format, text, replace, dryRun, expectedRevision } = request;
      const { changes, unchangedCount, stepCount, revision } = await config.import(
        {
          application,
          profile: profileOf(request.profile),
          format: formatOf(format),
          text,
          isReplacing: replace,
          isDryRun: dryRun,
          ...conditionsOf(request),
          expectedRevision,
        },
        context,
      );
      const count = (type: ConfigChange['type']) => changes.filter((change) => change.type === type).length;
      return {
        revision,
        changes: firstChanges(changes).map(changeOf),
        createdCount: count('created'),
        updatedCount: count('updated'),
        deletedCount: count('deleted'),
        unchangedCount,
        stepCount,
      };
    },

    async listSubscribers(request, context) {
      const binding = pageBinding(ListSubscribersRequestSchema, request);
      const page = {
        pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
        cursor: cursorOf(readPageToken(request.pageToken, binding)),
      };
      const { subscribers, next, revision } = await config.subscribers(request.application, page, context);
      return {
        revision,
        subscribers: subscribers.map(subscriberMessage),
        nextPageToken: next === undefined ? '' : writePageToken({ ...next, key: next.after }, binding),
      };
    },

    acknowledge({ application, subscriberId, acknowledgedRevision, failed, message }, context) {
      const said = { isFailed: failed, revision: acknowledgedRevision, message };
      return config.acknowledge(application, subscriberId, said, context);
    },

    rotateSecrets: ({ application }, context) =>
      config.rotateSecrets(application === '' ? undefined : application, context),
  };
}

/** The first changes that one answer holds. */
function firstChanges(changes: readonly ConfigChange[]): readonly ConfigChange[] {
  let bytes = 0;
  const end = changes.findIndex(({ item, previous }, i) => {
    bytes += item.value.length + (previous?.value.length ?? 0);
    return i === MAX_CHANGES || (i > 0 && bytes > MAX_CHANGES_BYTES);
  });
  return end < 0 ? changes : changes.slice(0, end);
}

/** All changes, the first with what was there before: so many that one answer holds them. */
function withinBytes(changes: readonly ConfigChange[]): readonly ConfigChange[] {
  let bytes = 0;
  return changes.map((change) => {
    bytes += change.previous?.value.length ?? 0;
    return bytes > MAX_CHANGES_BYTES ? { ...change, previous: undefined } : change;
  });
}

function putOf(put: PutRequest | ItemToPut): Edit {
  return {
    kind: 'put',
    key: put.key,
    value: toBytes(put.value, put.valueBytes),
    contentType: contentTypeOf(put.contentType),
    isSecret: put.secret,
    expectedRevision: put.expectedRevision,
  };
}

function conditionsOf({
  author,
  comment,
  fence,
}: {
  readonly author: string;
  readonly comment: string;
  readonly fence?: FenceMessage | undefined;
}): EditConditions {
  return { author, comment, fence: fenceOf(fence) };
}

/** What is written is told also where the caller waits no longer. */
function deliveryOf({ percent, timeout }: Delivery, context: HandlerContext) {
  const timeoutMs = timeout === undefined ? DEFAULT_DELIVERY_MS : millisecondsOf(timeout);
  const leftMs = (context.timeoutMs() ?? Number.POSITIVE_INFINITY) - ANSWER_MS;
  return {
    percent: percent || DEFAULT_DELIVERY_PERCENT,
    timeoutMs: Math.max(0, Math.min(timeoutMs, leftMs)),
  };
}
