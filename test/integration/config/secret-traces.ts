import { randomBytes } from 'node:crypto';
import { keyId } from '../../../src/domain/key-range.ts';
import type { Etcd } from '../../../src/etcd/open-etcd.ts';

/** Keys as CONCORD_SECRET_KEYS has them. */
export const OLD_KEY = `old:${randomBytes(32).toString('base64')}`;
export const NEW_KEY = `new:${randomBytes(32).toString('base64')}`;

/** One of CONCORD_SECRET_TOKENS, and what its holder sends. */
export const TOKEN = 'may-read-all-secrets';
export const REVEALED = { headers: { authorization: `Bearer ${TOKEN}` } };

const CALL_TIMEOUT_MS = 30_000;

/** Returns a text that occurs nowhere else; what holds it has the same bytes as JSON. */
export function secretText(): string {
  return `s${randomBytes(16).toString('hex')}`;
}

/** Returns in which forms a text occurs: in the clear, in hex, or in base64, wherever in a larger text it stood. */
export function tracesOf(text: string, haystack: Uint8Array | string): readonly string[] {
  const found = Buffer.from(haystack).toString('latin1');
  const forms = {
    clear: [text],
    hex: [Buffer.from(text).toString('hex'), Buffer.from(text).toString('hex').toUpperCase()],
    base64: [0, 1, 2].flatMap((offset) => base64At(text, offset)),
  };
  return Object.entries(forms).flatMap(([form, texts]) =>
    texts.some((each) => found.includes(each)) ? [form] : [],
  );
}

/** Reads all keys as they are at each revision that there was: key and value, each once. */
export async function dumpAll({ store }: Etcd): Promise<Buffer> {
  const options = { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
  const range = { kind: 'range', start: Uint8Array.of(0), end: undefined } as const;
  const { revision: newest } = await store.read({ kind: 'read', range, view: 'count' }, options);
  const pairs = new Map<string, Uint8Array>();
  for (let revision = 1n; revision <= newest; revision++) {
    const { kvs } = await store.read({ kind: 'read', range, revision }, options);
    for (const { key, value, modRevision } of kvs)
      pairs.set(`${keyId(key)}@${modRevision}`, Buffer.concat([key, Buffer.of(0), value, Buffer.of(0)]));
  }
  return Buffer.concat([...pairs.values()]);
}

/** The digits that stand for the text alone, where so many bytes stand before it, of either alphabet. */
function base64At(text: string, offset: number): readonly string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3));
  const digits = (encoding: 'base64' | 'base64url') => whole.toString(encoding).slice(offset === 0 ? 0 : 4);
  return [digits('base64'), digits('base64url')];
}
