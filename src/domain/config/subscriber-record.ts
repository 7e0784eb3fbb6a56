// What is written of subscribers.

import type { KeyValue } from '../store.ts';
import { storedFields, storedRevision, storedText, storedTime } from '../stored-fields.ts';

/** What a subscriber is. */
export interface SubscriberDetails {
  /** As it calls itself; may be empty. */
  readonly name: string;
  /** The layers over `default`. */
  readonly profiles: readonly string[];
  readonly isEffective: boolean;
  /** Milliseconds since 1970. */
  readonly connectWallMs: number;
}

/** What a subscriber says of what it was sent. */
export interface Acknowledgement {
  readonly isFailed: boolean;
  /** Everything up to it is meant. */
  readonly revision: bigint;
  readonly message: string;
}

/** A subscriber, as all gateways know it. */
export interface Subscriber extends SubscriberDetails {
  readonly id: string;
  /** 0n: nothing yet. */
  readonly sentRevision: bigint;
  readonly acknowledgement: Acknowledgement | undefined;
}

const encoder = new TextEncoder();

/** Returns the value of a subscriber's key. */
export function subscriberValue(details: SubscriberDetails, sentRevision: bigint): Uint8Array {
  const { name, profiles, isEffective, connectWallMs } = details;
  return encoder.encode(
    JSON.stringify({
      ...(name !== '' && { name }),
      ...(profiles.length > 0 && { profiles }),
      ...(isEffective && { effective: true }),
      connectTime: new Date(connectWallMs).toISOString(),
      sentRevision: String(sentRevision),
    }),
  );
}

/** Returns the value of the key that says what a subscriber has acknowledged. */
export function acknowledgementValue({ isFailed, revision, message }: Acknowledgement): Uint8Array {
  const said = message === '' ? {} : { message };
  return encoder.encode(
    JSON.stringify({ revision: String(revision), ...(isFailed && { failed: true }), ...said }),
  );
}

/** Returns what the two keys of a subscriber say. */
export function readSubscriber(
  id: string,
  value: Uint8Array,
  acknowledged: KeyValue | undefined,
): Subscriber {
  const fields = new Map<string, unknown>(Object.entries(storedFields(value)));
  const profiles = fields.get('profiles');
  return {
    id,
    name: storedText(fields.get('name')),
    profiles: Array.isArray(profiles) ? profiles.map(storedText) : [],
    isEffective: fields.get('effective') === true,
    connectWallMs: storedTime(fields.get('connectTime')),
    sentRevision: storedRevision(fields.get('sentRevision')),
    acknowledgement: acknowledged && readAcknowledgement(acknowledged.value),
  };
}

/** Returns what a subscriber has acknowledged. */
export function readAcknowledgement(value: Uint8Array): Acknowledgement {
  const fields = new Map<string, unknown>(Object.entries(storedFields(value)));
  return {
    isFailed: fields.get('failed') === true,
    revision: storedRevision(fields.get('revision')),
    message: storedText(fields.get('message')),
  };
}
