// Items as messages. Most are asked for again and again: of each that is small, the message is kept for as long as the item is.

import { create } from '@bufbuild/protobuf';
import {
  ConfigChange_Type,
  type ConfigChange as ConfigChangeMessage,
  ConfigChangeSchema,
  type ConfigItem as ConfigItemMessage,
  ConfigItemSchema,
} from '../../../gen/concord/config/v1/config_item_pb.ts';
import {
  type ResolvedItem as ResolvedItemMessage,
  ResolvedItemSchema,
} from '../../../gen/concord/config/v1/config_service_pb.ts';
import type { ConfigChange, ConfigItem } from '../../domain/config/config-item.ts';
import type { ResolvedItem } from '../../domain/config/resolve.ts';
import type { Vault } from '../../domain/config/vault.ts';
import { itemMessage } from './config-messages.ts';

/** Makes the messages. They may be the same objects each time: nobody may change them. */
export interface ItemMessages {
  item(item: ConfigItem, isRevealed: boolean): ConfigItemMessage;
  resolved(resolved: ResolvedItem, isRevealed: boolean): ResolvedItemMessage;
  change(change: ConfigChange, isRevealed: boolean): ConfigChangeMessage;
}

/** Values above it are not kept twice: reading them takes little beside sending them. */
const MAX_KEPT_BYTES = 4_096;

const CHANGES = {
  created: ConfigChange_Type.CREATED,
  updated: ConfigChange_Type.UPDATED,
  deleted: ConfigChange_Type.DELETED,
} as const;

/** Creates what makes the messages. What is revealed is never kept. */
export function createItemMessages(vault: Vault): ItemMessages {
  const keptItems = new WeakMap<ConfigItem, ConfigItemMessage>();
  const keptResolved = new WeakMap<ResolvedItem, ResolvedItemMessage>();

  function itemOf(item: ConfigItem, isRevealed: boolean): ConfigItemMessage {
    const known = isRevealed ? undefined : keptItems.get(item);
    if (known !== undefined) return known;
    const message = create(ConfigItemSchema, itemMessage(vault.show(item, item, isRevealed)));
    if (!isRevealed && isSmall(item)) keptItems.set(item, message);
    return message;
  }

  return {
    item: itemOf,

    resolved(resolved, isRevealed) {
      const known = isRevealed ? undefined : keptResolved.get(resolved);
      if (known !== undefined) return known;
      const { item, hidden } = resolved;
      const message = create(ResolvedItemSchema, {
        item: itemOf(item, isRevealed),
        hidden: hidden.map((each) => itemOf(each, isRevealed)),
      });
      if (!isRevealed && isSmall(item) && hidden.every(isSmall)) keptResolved.set(resolved, message);
      return message;
    },

    change({ type, item, previous }, isRevealed) {
      return create(ConfigChangeSchema, {
        type: CHANGES[type],
        // What is left of an item that is gone has no value to hide.
        item: type === 'deleted' ? itemMessage(item) : itemOf(item, isRevealed),
        ...(previous !== undefined && { previous: itemOf(previous, isRevealed) }),
      });
    },
  };
}

function isSmall({ value }: ConfigItem): boolean {
  return value.length <= MAX_KEPT_BYTES;
}
