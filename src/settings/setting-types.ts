// The kinds of setting: each reads a text, and says in words what it expects.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';

/** A kind of setting. */
export interface SettingType<T> {
  /** Returns what a text says; undefined: it is none of this kind. */
  read(text: string): T | undefined;
  /** What a text must be, for errors and documentation. */
  readonly expects: string;
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** A key that secrets are encrypted with. */
export interface SecretKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** A list, its items separated by commas. */
export function list<T>(item: SettingType<T>): SettingType<readonly T[]> {
  return {
    read(text) {
      const items = text.split(',').flatMap((part) => item.read(part.trim()) ?? []);
      return items.length === text.split(',').length ? items : undefined;
    },
    expects: `${item.expects}; several are separated by commas`,
  };
}

/** `host:port`; an IPv6 host stands in brackets. */
export const listenAddress: SettingType<ListenAddress> = {
  read(text) {
    const [, host = '', digits] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text) ?? [];
    const port = Number(digits);
    return port <= 65_535 ? { host: host.replace(/^\[|\]$/g, ''), port } : undefined;
  },
  expects: 'host:port, for example 127.0.0.1:8090 or [::1]:8090',
};

const ENDPOINT = /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/;

/** The address of an etcd member. */
export const endpoint: SettingType<string> = {
  read(text) {
    const address = text.includes('://') ? text : `http://${text}`;
    return ENDPOINT.test(address) && URL.canParse(address) ? address : undefined;
  },
  expects: 'http://host:port or https://host:port',
};

/** A network, by name or as an address and the number of its bits. */
export const network: SettingType<string> = {
  read(text) {
    if (text === 'loopback' || text === 'private') return text;
    const [address = '', bits = '', ...rest] = text.split('/');
    const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    return /^\d{1,3}$/.test(bits) && Number(bits) <= longest && rest.length === 0 ? text : undefined;
  },
  expects: 'loopback, private, or a network such as 10.1.0.0/16',
};

/** The origin of a web page. */
export const origin = matching(
  /^(\*|https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?)$/,
  'an origin such as https://app.example.com, or * for all',
);

/** Any text. */
export const text = matching(/./s, 'a text');

/** A path of the file system. */
export const path = matching(/./s, 'a path');

/** A file, read at start. */
export const file: SettingType<Buffer> = {
  read: (name) => unlessThrown(() => readFileSync(name)),
  expects: 'the path of a readable file',
};

/** A file with certificates in PEM; the first is the one that counts. */
export const certificate = pem('PEM certificates', (contents) => new X509Certificate(contents));

/** A file with a private key in PEM. */
export const privateKey = pem('a private key in PEM', createPrivateKey);

function pem(what: string, parse: (contents: Buffer) => unknown): SettingType<Buffer> {
  return {
    read: (name) =>
      unlessThrown(() => {
        const contents = readFileSync(name);
        parse(contents);
        return contents;
      }),
    expects: `${file.expects} with ${what}`,
  };
}

/** `id:key`, the key in base64. */
const secretKey: SettingType<SecretKey> = {
  read(text) {
    // The last of 43 digits stands for four bits and two that are zero.
    if (!/^[A-Za-z0-9_-]{1,32}:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text)) return undefined;
    const [id = '', base64 = ''] = text.split(':');
    return { id, key: Buffer.from(base64, 'base64') };
  },
  expects: 'id:key, the id of 1 to 32 letters, digits, _ or -, the key of 32 bytes in base64',
};

/** Keys that secrets are encrypted with, each of an id of its own. */
export const secretKeys: SettingType<readonly SecretKey[]> = {
  read(text) {
    const keys = list(secretKey).read(text);
    return keys?.length === new Set(keys?.map(({ id }) => id)).size ? keys : undefined;
  },
  expects: `${list(secretKey).expects}; no two have one id`,
};

/** What a caller shows in a header, so that it must be of what a header can hold. */
export const secretToken = matching(/^[!-~]{16,}$/, 'a token of at least 16 ASCII characters without spaces');

/** The beginning of keys: no slash at its end. */
export const keyPrefix = matching(
  /^\/.{0,254}[^/]$/,
  'a key prefix that begins with / and does not end with one, of at most 256 characters',
);

/** `true` or `false`. */
export const flag: SettingType<boolean> = {
  read: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  expects: 'true or false',
};

/** One of some words. */
export function choice<const Word extends string>(words: readonly [Word, ...Word[]]): SettingType<Word> {
  return { read: (text) => words.find((word) => word === text), expects: words.join(', ') };
}

/** A whole number within bounds. */
export function integer(min: number, max: number): SettingType<number> {
  return {
    read: (text) => (/^\d+$/.test(text) ? within(Number(text), min, max) : undefined),
    expects: `a whole number from ${min} to ${max}`,
  };
}

/** A number of processes, from 1; `auto` is the number of cores that this process may use, or the most that there may be. */
export function processCount(max: number): SettingType<number> {
  const count = integer(1, max);
  return {
    read: (text) => (text === 'auto' ? Math.min(availableParallelism(), max) : count.read(text)),
    expects: `auto, or ${count.expects}`,
  };
}

const UNITS_MS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** A time with its unit, in milliseconds. */
export function duration(minMs: number, maxMs: number): SettingType<number> {
  return {
    read(text) {
      const [, count, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
      return within(Math.round(Number(count) * (UNITS_MS.get(unit) ?? Number.NaN)), minMs, maxMs);
    },
    expects: `a time from ${durationText(minMs)} to ${durationText(maxMs)}, such as 500ms, 10s, 5m or 1h`,
  };
}

function matching(pattern: RegExp, expects: string): SettingType<string> {
  return { read: (text) => (pattern.test(text) ? text : undefined), expects };
}

function within(count: number, min: number, max: number): number | undefined {
  return count >= min && count <= max ? count : undefined;
}

function unlessThrown<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function durationText(ms: number): string {
  if (ms % 3_600_000 === 0 && ms > 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0 && ms > 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
