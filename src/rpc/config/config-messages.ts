// The domain's configuration as messages of concord.config.v1, and back.

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type ConfigItemSchema,
  type ConfigVersionSchema,
  ContentType as ContentTypeMessage,
} from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  type DiffRequest,
  Format,
  type KeySchemaSchema,
  type SetSchemaRequest,
  Subscriber_State,
  SubscriberSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import { Encoding } from '../../../gen/concord/kv/v1/reading_pb.ts';
import { DEFAULT_PROFILE, type ItemName } from '../../domain/config/config-item.ts';
import type { SchemaTarget } from '../../domain/config/config-keys.ts';
import type { DiffQuery } from '../../domain/config/config-reads.ts';
import type { ContentType, TransferFormat } from '../../domain/config/document.ts';
import type { ItemVersion } from '../../domain/config/history.ts';
import type { KeySchema } from '../../domain/config/schemas.ts';
import type { Subscriber } from '../../domain/config/subscriber-record.ts';
import type { Shown, ShownItem } from '../../domain/config/vault.ts';
import { toText } from '../fields/text-or-bytes.ts';

const CONTENT_TYPES: Readonly<Record<ContentType, ContentTypeMessage>> = {
  text: ContentTypeMessage.TEXT,
  json: ContentTypeMessage.JSON,
  yaml: ContentTypeMessage.YAML,
  properties: ContentTypeMessage.PROPERTIES,
  toml: ContentTypeMessage.TOML,
  number: ContentTypeMessage.NUMBER,
  boolean: ContentTypeMessage.BOOLEAN,
};
const CONTENT_TYPE_NAMES = new Map(
  Object.entries(CONTENT_TYPES).map(([name, message]) => [message, name as ContentType]),
);

/** Returns the profile that a request means. */
export function profileOf(profile: string): string {
  return profile || DEFAULT_PROFILE;
}

/** Returns the item that a request names. */
export function nameOf({ application, profile, key }: ItemName): ItemName {
  return { application, profile: profileOf(profile), key };
}

/** Returns what a value is said to be; undefined: the request does not say. */
export function contentTypeOf(message: ContentTypeMessage): ContentType | undefined {
  return CONTENT_TYPE_NAMES.get(message);
}

/** Returns what a whole profile is written as. */
export function formatOf(format: Format): TransferFormat {
  switch (format) {
    case Format.YAML:
      return 'yaml';
    case Format.PROPERTIES:
      return 'properties';
    case Format.DOTENV:
      return 'dotenv';
    default:
      return 'json';
  }
}

/** Returns the message for an item. */
export function itemMessage(item: ShownItem): MessageInitShape<typeof ConfigItemSchema> {
  const { application, profile, key, contentType, version, author, comment, updateWallMs } = item;
  return {
    application,
    profile,
    key,
    ...valueFields(item.value),
    contentType: CONTENT_TYPES[contentType],
    version: BigInt(version),
    author,
    comment,
    ...(updateWallMs !== undefined && { updateTime: timestampFromMs(updateWallMs) }),
    secret: item.isSecret,
    revision: item.revision,
    redacted: item.value === undefined,
  };
}

/** Returns the message for a version of an item. */
export function versionMessage(version: Shown<ItemVersion>): MessageInitShape<typeof ConfigVersionSchema> {
  return {
    version: BigInt(version.version),
    ...valueFields(version.value),
    contentType: CONTENT_TYPES[version.contentType],
    deleted: version.isDeleted,
    author: version.author,
    comment: version.comment,
    updateTime: timestampFromMs(version.updateWallMs),
    secret: version.isSecret,
    redacted: version.value === undefined,
    external: version.isExternal,
    rollbackOf: BigInt(version.rollbackOf),
    revision: version.revision,
  };
}

/** Returns what a request compares. */
export function diffQueryOf({ application, what }: DiffRequest): DiffQuery {
  switch (what.case) {
    case 'versions': {
      const { profile, key, fromVersion, toVersion } = what.value;
      const name = nameOf({ application, profile, key });
      return { kind: 'versions', name, fromVersion: Number(fromVersion), toVersion: Number(toVersion) };
    }
    case 'revisions': {
      const { profile, fromRevision, toRevision } = what.value;
      return { kind: 'revisions', application, profile: profileOf(profile), fromRevision, toRevision };
    }
    case 'profiles': {
      const [fromProfile, toProfile] = [profileOf(what.value.fromProfile), profileOf(what.value.toProfile)];
      return { kind: 'profiles', application, fromProfile, toProfile };
    }
    case undefined:
      throw new Error('validation lets no request pass that compares nothing');
  }
}

/** Returns which keys a schema is set for. */
export function targetOf({ keys }: SetSchemaRequest): SchemaTarget {
  if (keys.case === undefined) throw new Error('validation lets no schema pass that holds for nothing');
  return { kind: keys.case === 'key' ? 'key' : 'pattern', text: keys.value };
}

/** Returns the message for a schema. */
export function schemaMessage({
  target,
  text,
  revision,
}: KeySchema): MessageInitShape<typeof KeySchemaSchema> {
  const keys = { case: target.kind === 'key' ? 'key' : 'keyPattern', value: target.text } as const;
  return { keys, schema: text, revision };
}

/** Returns the message for a subscriber. */
export function subscriberMessage(subscriber: Subscriber): MessageInitShape<typeof SubscriberSchema> {
  const { id, name, profiles, isEffective, connectWallMs, sentRevision, acknowledgement } = subscriber;
  return create(SubscriberSchema, {
    subscriberId: id,
    name,
    profiles: [...profiles],
    effective: isEffective,
    connectTime: timestampFromMs(connectWallMs),
    sentRevision,
    state: stateOf(acknowledgement),
    acknowledgedRevision: acknowledgement?.revision ?? 0n,
    message: acknowledgement?.message ?? '',
  });
}

function stateOf(acknowledgement: Subscriber['acknowledgement']): Subscriber_State {
  if (acknowledgement === undefined) return Subscriber_State.SILENT;
  return acknowledgement.isFailed ? Subscriber_State.FAILED : Subscriber_State.APPLIED;
}

function valueFields(value: Uint8Array | undefined): { value?: string; valueBytes?: Uint8Array } {
  if (value === undefined) return {};
  const text = toText(value, Encoding.UNSPECIFIED);
  return text === undefined ? { valueBytes: value } : { value: text };
}
