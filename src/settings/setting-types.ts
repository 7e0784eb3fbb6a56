// The kinds of setting: each reads a text, and says in words what it expects.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';

/** A kind of setting. */
export interface SettingType<T> {
  readonly schema: z.ZodType<T, string>;
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
  const schema = z.string().transform((text) => text.split(',').map((part) => part.trim()));
  return {
    schema: schema.pipe(z.array(item.schema).min(1)),
    expects: `${item.expects}; several are separated by commas`,
  };
}

/** `host:port`; an IPv6 host stands in brackets. */
export const listenAddress: SettingType<ListenAddress> = {
  schema: z
    .string()
    .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/)
    .transform((text) => {
      const colon = text.lastIndexOf(':');
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
    })
    .refine(({ port }) => port <= 65_535),
  expects: 'host:port, for example 127.0.0.1:8090 or [::1]:8090',
};

/** The address of an etcd member. */
export const endpoint: SettingType<string> = {
  schema: z
    .string()
    .transform((text) => (text.includes('://') ? text : `http://${text}`))
    .pipe(
      z
        .string()
        .regex(/^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/)
        .refine((address) => URL.canParse(address)),
    ),
  expects: 'http://host:port or https://host:port',
};

/** A network, by name or as an address and the number of its bits. */
export const network: SettingType<string> = {
  schema: z.string().refine((text) => {
    if (text === 'loopback' || text === 'private') return true;
    const [address = '', bits = '', ...rest] = text.split('/');
    const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    return /^\d{1,3}$/.test(bits) && Number(bits) <= longest && rest.length === 0;
  }),
  expects: 'loopback, private, or a network such as 10.1.0.0/16',
};

/** The origin of a web page. */
export const origin: SettingType<string> = {
  schema: z.string().regex(/^(\*|https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?)$/),
  expects: 'an origin such as https://app.example.com, or * for all',
};

/** Any text. */
export const text: SettingType<string> = { schema: z.string().min(1), expects: 'a text' };

/** A path of the file system. */
export const path: SettingType<string> = { schema: z.string().min(1), expects: 'a path' };

/** A file, read at start. */
export const file: SettingType<Buffer> = {
  schema: z.string().transform((name, context) => {
    try {
      return readFileSync(name);
    } catch {
      context.addIssue({ code: 'custom', message: 'not readable' });
      return z.NEVER;
    }
  }),
  expects: 'the path of a readable file',
};

/** A file with certificates in PEM; the first is the one that counts. */
export const certificate = pem('PEM certificates', (contents) => new X509Certificate(contents));

/** A file with a private key in PEM. */
export const privateKey = pem('a private key in PEM', createPrivateKey);

function pem(what: string, parse: (contents: Buffer) => unknown): SettingType<Buffer> {
  const schema = file.schema.refine((contents) => {
    try {
      parse(contents);
      return true;
    } catch {
      return false;
    }
  });
  return { schema, expects: `${file.expects} with ${what}` };
}

/** `id:key`, the key in base64. */
const secretKey: SettingType<SecretKey> = {
  schema: z
    .string()
    // The last of 43 digits stands for four bits and two that are zero.
    .regex(/^[A-Za-z0-9_-]{1,32}:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/)
    .transform((text) => {
      const [id = '', base64 = ''] = text.split(':');
      return { id, key: Buffer.from(base64, 'base64') };
    }),
  expects: 'id:key, the id of 1 to 32 letters, digits, _ or -, the key of 32 bytes in base64',
};

/** Keys that secrets are encrypted with, each of an id of its own. */
export const secretKeys: SettingType<readonly SecretKey[]> = {
  schema: list(secretKey).schema.refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length),
  expects: `${list(secretKey).expects}; no two have one id`,
};

/** What a caller shows in a header, so that it must be of what a header can hold. */
export const secretToken: SettingType<string> = {
  schema: z.string().regex(/^[!-~]{16,}$/),
  expects: 'a token of at least 16 ASCII characters without spaces',
};

/** The beginning of keys: no slash at its end. */
export const keyPrefix: SettingType<string> = {
  schema: z.string().regex(/^\/.{0,254}[^/]$/),
  expects: 'a key prefix that begins with / and does not end with one, of at most 256 characters',
};

/** `true` or `false`. */
export const flag: SettingType<boolean> = {
  schema: z.enum(['true', 'false']).transform((word) => word === 'true'),
  expects: 'true or false',
};

/** One of some words. */
export function choice<const Word extends string>(words: readonly [Word, ...Word[]]): SettingType<Word> {
  return { schema: z.enum(words) as z.ZodType<Word, string>, expects: words.join(', ') };
}

/** A whole number within bounds. */
export function integer(min: number, max: number): SettingType<number> {
  return {
    schema: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max)),
    expects: `a whole number from ${min} to ${max}`,
  };
}

/** A number of processes, from 1; `auto` is the number of cores that this process may use, or the most that there may be. */
export function processCount(max: number): SettingType<number> {
  const count = integer(1, max);
  const auto = z.literal('auto').transform(() => Math.min(availableParallelism(), max));
  return { schema: z.union([auto, count.schema]), expects: `auto, or ${count.expects}` };
}

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** A time with its unit, in milliseconds. */
export function duration(minMs: number, maxMs: number): SettingType<number> {
  return {
    schema: z
      .string()
      .regex(/^\d+(\.\d+)?(ms|s|m|h)$/)
      .transform(
        (word) => Number.parseFloat(word) * UNITS_MS[word.replace(/[\d.]+/, '') as keyof typeof UNITS_MS],
      )
      .transform(Math.round)
      .pipe(z.number().min(minMs).max(maxMs)),
    expects: `a time from ${durationText(minMs)} to ${durationText(maxMs)}, such as 500ms, 10s, 5m or 1h`,
  };
}

function durationText(ms: number): string {
  if (ms % 3_600_000 === 0 && ms > 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0 && ms > 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}
