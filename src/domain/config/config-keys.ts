// The keys of configuration.
//
// In the profile `default` the value of an item stands at `<prefix>/<application>/<key>`. Everything else stands under a root of
// its own, one for each prefix, `/concord/config/<prefix, escaped>/`:
//   item/<application>/record/<profile>/<key>              what is known of the newest version
//   item/<application>/value/<profile>/<key>               the value, in any other profile
//   history/<application>/<profile>/<key, escaped>/<version>.<second>
//                                                          and .<revision> of a change that another etcd client made
//   schema/<application>/(key|pattern)/<key or pattern>
//   subscriber/<application>/<id>                          on the lease of the gateway that serves it
//   acknowledged/<application>/<id>                        on the same
//   import/<application>/<id>/(plan|<step>)

import { contains, type KeySpan, prefixRange } from '../key-range.ts';
import { nameSegment, numberSegment, segmentName, segmentNumber } from '../name-segment.ts';
import { DEFAULT_PROFILE, type ItemName } from './config-item.ts';

/** A version in the history. */
export interface EntryName extends ItemName {
  readonly version: number;
  /** When it was written, in whole seconds since 1970. */
  readonly second: number;
  /** Of a change that another etcd client made, its revision; 0n: that at which the version was written. */
  readonly externalRevision: bigint;
}

/** Which keys a schema holds for. */
export interface SchemaTarget {
  readonly kind: 'key' | 'pattern';
  readonly text: string;
}

/** Names and reads the keys. */
export interface ConfigKeys {
  /** The values of all items in the profile `default`. */
  readonly defaults: KeySpan;
  /** Of all items, the records, and the values in other profiles. */
  readonly items: KeySpan;
  defaultsOf(application: string): KeySpan;
  itemsOf(application: string): KeySpan;
  /** The values of a profile whose keys begin with `prefix`. */
  values(application: string, profile: string, prefix?: string): KeySpan;
  records(application: string, profile: string, prefix?: string): KeySpan;
  value(name: ItemName): Uint8Array;
  record(name: ItemName): Uint8Array;
  /** Undefined: the key is that of no item that can be named. */
  readItem(key: Uint8Array): { readonly kind: 'value' | 'record'; readonly name: ItemName } | undefined;
  /** Whether a key is one of `defaults`. */
  isDefault(key: Uint8Array): boolean;
  /** The application in whose `defaultsOf` or `itemsOf` a key lies, one of no item too; empty: none. */
  applicationOf(key: Uint8Array): string;

  readonly history: KeySpan;
  historyOf(application: string, profile?: string): KeySpan;
  versionsOf(name: ItemName): KeySpan;
  version(name: ItemName, version: number): KeySpan;
  entry(name: EntryName): Uint8Array;
  readEntry(key: Uint8Array): EntryName | undefined;

  schemasOf(application: string): KeySpan;
  schema(application: string, target: SchemaTarget): Uint8Array;
  readSchema(key: Uint8Array): SchemaTarget | undefined;

  subscribersOf(application: string): KeySpan;
  subscriber(application: string, id: string): Uint8Array;
  acknowledgedOf(application: string): KeySpan;
  acknowledged(application: string, id: string): Uint8Array;
  /** The id at the end of a subscriber's key, of either kind. */
  subscriberId(key: Uint8Array): string;

  readonly imports: KeySpan;
  importOf(application: string, id: string): KeySpan;
  importPlan(application: string, id: string): Uint8Array;
  importStep(application: string, id: string, step: number): Uint8Array;
  /** Whether a key of an import is that of its plan. */
  isImportPlan(key: Uint8Array): boolean;
  /** The id of the import that a key is one of. */
  importId(key: Uint8Array): string;
}

const MAX_APPLICATION_BYTES = 256;
const MAX_PROFILE_BYTES = 128;
const MAX_KEY_BYTES = 1_024;
const SECOND_DIGITS = 11;
const SLASH = 0x2f;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what names must not hold.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Creates the keys of the configuration that stands under `prefix`, such as `/config`. */
export function createConfigKeys(prefix: string): ConfigKeys {
  const root = `/concord/config/${nameSegment(prefix)}/`;
  const defaults = `${prefix}/`;
  const items = `${root}item/`;
  const history = `${root}history/`;
  const imports = `${root}import/`;

  const defaultsSpan = span(defaults);
  const itemsSpan = span(items);

  const itemsOf = (application: string) => `${items}${nameSegment(application)}/`;
  const recordsOf = (application: string, profile: string) =>
    `${itemsOf(application)}record/${nameSegment(profile)}/`;
  const valuesOf = (application: string, profile: string) =>
    profile === DEFAULT_PROFILE
      ? `${defaults}${application}/`
      : `${itemsOf(application)}value/${nameSegment(profile)}/`;
  const historyOf = (application: string) => `${history}${nameSegment(application)}/`;
  const versionsOf = ({ application, profile, key }: ItemName) =>
    `${historyOf(application)}${nameSegment(profile)}/${nameSegment(key)}/`;
  const versionOf = (name: ItemName, version: number) =>
    `${versionsOf(name)}${numberSegment(BigInt(version))}.`;
  const under = (kind: string, application: string) => `${root}${kind}/${nameSegment(application)}/`;
  const importOf = (application: string, id: string) => `${imports}${nameSegment(application)}/${id}/`;

  return {
    defaults: defaultsSpan,
    items: itemsSpan,
    defaultsOf: (application) => span(`${defaults}${application}/`),
    itemsOf: (application) => span(itemsOf(application)),
    values: (application, profile, keyPrefix = '') => span(valuesOf(application, profile) + keyPrefix),
    records: (application, profile, keyPrefix = '') => span(recordsOf(application, profile) + keyPrefix),
    value: ({ application, profile, key }) => encoder.encode(valuesOf(application, profile) + key),
    record: ({ application, profile, key }) => encoder.encode(recordsOf(application, profile) + key),

    readItem(bytes) {
      const text = textOf(bytes);
      if (text?.startsWith(defaults)) {
        const [application = '', ...key] = text.slice(defaults.length).split('/');
        const name = nameOf(application, DEFAULT_PROFILE, key.join('/'));
        return name && { kind: 'value', name };
      }
      if (!text?.startsWith(items)) return undefined;
      const [application = '', kind, profile = '', ...key] = text.slice(items.length).split('/');
      if (kind !== 'value' && kind !== 'record') return undefined;
      const name = nameOf(nameIn(application), nameIn(profile), key.join('/'));
      // What stands elsewhere is not where it is looked for.
      return name === undefined || (kind === 'value' && name.profile === DEFAULT_PROFILE)
        ? undefined
        : { kind, name };
    },

    isDefault: (bytes) => contains(defaultsSpan, bytes),
    applicationOf(bytes) {
      const range = [defaultsSpan, itemsSpan].find((each) => contains(each, bytes));
      const start = range?.start.length ?? 0;
      const end = bytes.indexOf(SLASH, start);
      // What comes behind the application need not be UTF-8.
      const segment = range === undefined || end < 0 ? undefined : textOf(bytes.subarray(start, end));
      if (segment === undefined) return '';
      return range === itemsSpan ? nameIn(segment) : segment;
    },

    history: span(history),
    historyOf: (application, profile) =>
      span(historyOf(application) + (profile === undefined ? '' : `${nameSegment(profile)}/`)),
    versionsOf: (name) => span(versionsOf(name)),
    version: (name, version) => span(versionOf(name, version)),
    entry: (name) => {
      const { version, second, externalRevision } = name;
      const external = externalRevision === 0n ? '' : `.${numberSegment(externalRevision)}`;
      return encoder.encode(
        versionOf(name, version) + String(second).padStart(SECOND_DIGITS, '0') + external,
      );
    },
    readEntry(bytes) {
      const text = textOf(bytes);
      if (!text?.startsWith(history)) return undefined;
      const [application = '', profile = '', key = '', entry = '', ...more] = text
        .slice(history.length)
        .split('/');
      const [version = '', second = '', external = numberSegment(0n), ...rest] = entry.split('.');
      const [number, externalRevision] = [segmentNumber(version), segmentNumber(external)];
      const name = nameOf(nameIn(application), nameIn(profile), nameIn(key));
      if (name === undefined || number === undefined || externalRevision === undefined) return undefined;
      if (!/^\d{11}$/.test(second) || rest.length + more.length > 0) return undefined;
      return { ...name, version: Number(number), second: Number(second), externalRevision };
    },

    schemasOf: (application) => span(under('schema', application)),
    schema: (application, { kind, text }) => encoder.encode(`${under('schema', application)}${kind}/${text}`),
    readSchema(bytes) {
      const [kind, ...text] = (textOf(bytes) ?? '').slice(root.length).split('/').slice(2);
      return kind === 'key' || kind === 'pattern' ? { kind, text: text.join('/') } : undefined;
    },

    subscribersOf: (application) => span(under('subscriber', application)),
    subscriber: (application, id) => encoder.encode(under('subscriber', application) + id),
    acknowledgedOf: (application) => span(under('acknowledged', application)),
    acknowledged: (application, id) => encoder.encode(under('acknowledged', application) + id),
    subscriberId: (bytes) => textOf(bytes)?.split('/').at(-1) ?? '',

    imports: span(imports),
    importOf: (application, id) => span(importOf(application, id)),
    importPlan: (application, id) => encoder.encode(`${importOf(application, id)}plan`),
    importStep: (application, id, step) =>
      encoder.encode(importOf(application, id) + numberSegment(BigInt(step))),
    isImportPlan: (bytes) => textOf(bytes)?.endsWith('/plan') ?? false,
    importId: (bytes) => textOf(bytes)?.split('/').at(-2) ?? '',
  };
}

/** Returns whether a text can be the key of an item. */
export function isItemKey(text: string): boolean {
  return fits(text, MAX_KEY_BYTES) && text.isWellFormed();
}

/** Undefined: the contract has no such names. */
function nameOf(application: string, profile: string, key: string): ItemName | undefined {
  const isName =
    fits(application, MAX_APPLICATION_BYTES) && fits(profile, MAX_PROFILE_BYTES) && fits(key, MAX_KEY_BYTES);
  return isName ? { application, profile, key } : undefined;
}

/** Empty: no name is written so. */
function nameIn(segment: string): string {
  const name = segmentName(segment);
  return nameSegment(name) === segment ? name : '';
}

function fits(text: string, maxBytes: number): boolean {
  // No unit of UTF-16 takes more than three bytes of UTF-8.
  const isShort = text.length * 3 <= maxBytes || encoder.encode(text).length <= maxBytes;
  return text !== '' && isShort && !CONTROL.test(text);
}

function span(text: string): KeySpan {
  return prefixRange(encoder.encode(text));
}

/** Undefined: it is not UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
