// An instance of a service, and how it is written in the store: as JSON that any etcd client can read and write.

import type { KeyValue } from '../store.ts';

/** Whether an instance takes work. */
export type Status = 'UP' | 'DOWN' | 'DRAINING' | 'STARTING';

/** Who keeps it registered; undefined where another etcd client wrote it. */
export type Liveness = 'HEARTBEAT' | 'MANAGED' | 'ATTACHED';

/** What an instance says of itself. */
export interface InstanceDetails {
  readonly host: string;
  readonly port: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly version: string;
  readonly zone: string;
  readonly weight: number;
  readonly status: Status;
}

/** An instance as it is registered. */
export interface Instance extends InstanceDetails {
  readonly service: string;
  readonly instanceId: string;
  readonly leaseId: bigint;
  /** Milliseconds since 1970; undefined where it is not known. */
  readonly registerWallMs: number | undefined;
  readonly revision: bigint;
  readonly liveness: Liveness | undefined;
  /** All members as they are written, those included that are not known here. */
  readonly members: Readonly<Record<string, unknown>>;
}

/** What stands where an instance should, and is none. */
export interface InvalidEntry {
  readonly key: Uint8Array;
  readonly reason: string;
}

const KNOWN = new Set([
  'host',
  'port',
  'metadata',
  'tags',
  'version',
  'zone',
  'weight',
  'status',
  'registerTime',
  'liveness',
]);
const decoder = new TextDecoder('utf-8', { fatal: true });
/** What JSON has beyond the types of TypeScript (https://tc39.es/proposal-json-parse-with-source). */
const EXACT_JSON = JSON as unknown as {
  parse(
    text: string,
    reviver: (name: string, value: unknown, context: { readonly source: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};
/** What a timestamp of the contract can say: the years 1 to 9999. */
const FIRST_WALL_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_WALL_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Returns the value of an instance's key. Members that are not known here are kept. */
export function instanceValue(
  details: InstanceDetails,
  {
    registerWallMs,
    liveness,
    members = {},
  }: {
    readonly registerWallMs: number | undefined;
    readonly liveness: Liveness | undefined;
    readonly members?: Readonly<Record<string, unknown>>;
  },
): Uint8Array {
  const { host, port, tags, version, zone, weight, status } = details;
  // What was read as metadata from a member of its own stays that member for as long as it says the same.
  const unknown = Object.entries(members).filter(
    ([name, value]) => !KNOWN.has(name) && details.metadata[name] === asText(value),
  );
  const kept = new Set(unknown.map(([name]) => name));
  const metadata = Object.entries(details.metadata).filter(([name]) => !kept.has(name));
  const value = {
    ...Object.fromEntries(unknown),
    host,
    port,
    ...(metadata.length > 0 && { metadata: Object.fromEntries(metadata) }),
    ...(tags.length > 0 && { tags }),
    ...(version !== '' && { version }),
    ...(zone !== '' && { zone }),
    ...(weight !== 1 && { weight }),
    status,
    ...(registerWallMs !== undefined && { registerTime: new Date(registerWallMs).toISOString() }),
    ...(liveness !== undefined && { liveness }),
  };
  return new TextEncoder().encode(JSON.stringify(value));
}

/**
 * Returns the instance that a key holds, or what is wrong with it. Only `host` and `port` must be there. Members that are not known
 * here are given as metadata: texts as they are, everything else as JSON.
 */
export function readInstance(service: string, instanceId: string, kv: KeyValue): Instance | InvalidEntry {
  const members = parse(kv.value);
  if (typeof members === 'string') return { key: kv.key, reason: members };
  const [host, port] = [textIn(members['host']), portIn(members['port'])];
  if (host === '') return { key: kv.key, reason: '"host" is not a text' };
  if (port === undefined) return { key: kv.key, reason: '"port" is not a number from 1 to 65535' };
  const metadata = metadataIn(members);
  if (metadata === undefined) return { key: kv.key, reason: 'a member is nested too deeply' };
  return {
    service,
    instanceId,
    host,
    port,
    metadata,
    tags: textsIn(members['tags']),
    version: textIn(members['version']),
    zone: textIn(members['zone']),
    weight: weightIn(members['weight']),
    status: statusIn(members['status']),
    leaseId: kv.leaseId,
    registerWallMs: timeIn(members['registerTime']),
    revision: kv.modRevision,
    liveness: livenessIn(members['liveness']),
    members,
  };
}

/** Returns whether what was read is an instance. */
export function isInstance(read: Instance | InvalidEntry): read is Instance {
  return 'instanceId' in read;
}

/** Returns whether two states of an instance differ in their status, and in nothing else that it says. */
export function differInStatusAlone(a: Instance, b: Instance): boolean {
  return a.status !== b.status && saidBeside(a) === saidBeside(b);
}

function saidBeside({ host, port, metadata, tags, version, zone, weight, leaseId }: Instance): string {
  const sorted = Object.entries(metadata).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([host, port, sorted, tags, version, zone, weight, String(leaseId)]);
}

function parse(value: Uint8Array): Readonly<Record<string, unknown>> | string {
  try {
    const parsed = parseExactly(decoder.decode(value));
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
    return 'the value is no JSON object';
  } catch {
    return 'the value is not JSON';
  }
}

/** Numbers that JavaScript cannot hold are given and written as they stand. */
function parseExactly(text: string): unknown {
  // There are few of them, and looking at each value takes time.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return EXACT_JSON.parse(text, (_, value, { source }) =>
    Number.isInteger(value) && !Number.isSafeInteger(value) ? EXACT_JSON.rawJSON(source) : value,
  );
}

/** Undefined: a member is nested so deeply that it cannot be written. */
function metadataIn(members: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const unknown = Object.entries(members).filter(([name]) => !KNOWN.has(name));
  const { metadata } = members;
  const known = typeof metadata === 'object' && metadata !== null ? Object.entries(metadata) : [];
  try {
    return Object.fromEntries(
      [...unknown, ...known].map(([name, value]) => [name.toWellFormed(), asText(value)]),
    );
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** JSON can say halves of characters; the contract's texts cannot. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value);
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value.toWellFormed() : '';
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string').map(textIn) : [];
}

/** A number, or one that is written as a text. */
function portIn(value: unknown): number | undefined {
  const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
  return typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : undefined;
}

function weightIn(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? Math.min(value, 10_000) : 1;
}

/** A status that is not known here is taken for one in which it takes no work. */
function statusIn(value: unknown): Status {
  if (value === undefined) return 'UP';
  const status = typeof value === 'string' ? value.toUpperCase() : '';
  return status === 'UP' || status === 'DRAINING' || status === 'STARTING' ? status : 'DOWN';
}

function timeIn(value: unknown): number | undefined {
  const wallMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return wallMs >= FIRST_WALL_MS && wallMs <= LAST_WALL_MS ? wallMs : undefined;
}

function livenessIn(value: unknown): Liveness | undefined {
  return value === 'HEARTBEAT' || value === 'MANAGED' || value === 'ATTACHED' ? value : undefined;
}
