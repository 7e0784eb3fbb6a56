// The kinds of argument: each reads a text, or says what it expects.

import { readFileSync } from 'node:fs';
import { type DescEnum, enumToJson } from '@bufbuild/protobuf';
import type { GenEnum } from '@bufbuild/protobuf/codegenv2';
import { type Duration, durationFromMs } from '@bufbuild/protobuf/wkt';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { usageError } from './failure.ts';

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Reads a time with its unit, such as `500ms`, `10s`, `5m`, `1h` or `2d`, as milliseconds. */
export function parseTime(text: string): number {
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (count === '') throw new InvalidArgumentError('Expected a time such as 500ms, 10s, 5m or 1h.');
  return Math.round(Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]);
}

/** Reads a time as a message. */
export function parseDuration(text: string): Duration {
  return durationFromMs(parseTime(text));
}

/** An option that is a time, with its default. */
export function timeOption(flags: string, description: string, byDefault: string): Option {
  return new Option(flags, description).argParser(parseDuration).default(parseDuration(byDefault), byDefault);
}

/** Reads a whole number of 64 bits that is not negative: a revision, a lease, a token, a version. */
export function parseInt64(text: string): bigint {
  if (!/^\d{1,19}$/.test(text) || BigInt(text) > 2n ** 63n - 1n)
    throw new InvalidArgumentError('Expected a whole number.');
  return BigInt(text);
}

/** Returns what reads a whole number within bounds. */
export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** Reads one more `key=value`; the value may hold further `=`. */
export function collectPair(
  text: string,
  before: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected key=value.');
  return new Map([...before, [text.slice(0, at), text.slice(at + 1)]]);
}

/** Reads one more word. */
export function collectWord(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Returns the words that stand for the values of an enum: `round-robin` for STRATEGY_ROUND_ROBIN. */
export function enumWords<Value extends number>(schema: GenEnum<Value>): ReadonlyMap<string, Value> {
  const words = schema.values
    .filter(({ number }) => number !== 0)
    .map(({ name, number }) => [wordOf(name, schema), number as Value] as const);
  return new Map(words);
}

/** Returns the word that stands for one value of an enum; empty for the one that is not set. */
export function enumWord(schema: DescEnum, value: number): string {
  if (value === 0) return '';
  const name = enumToJson(schema, value);
  return typeof name === 'string' ? wordOf(name, schema) : String(value);
}

/** How many arguments of a command stand before `--`; all of them where there is none. */
export function argumentsBeforeDashes(command: Command): number {
  const { rawArgs } = rootOf(command) as Command & { readonly rawArgs: readonly string[] };
  const at = rawArgs.indexOf('--');
  return at < 0 ? command.args.length : command.args.length - (rawArgs.length - at - 1);
}

/** Reads a file, or with `-` standard input, to its end. */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usageError(`${path === '-' ? 'standard input' : path} cannot be read: ${why}`);
  }
}

/** Returns the fields of a value: text where its bytes are UTF-8, else bytes. */
export function valueFields(
  bytes: Uint8Array,
): { readonly value: string } | { readonly valueBytes: Uint8Array } {
  try {
    return { value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { valueBytes: bytes };
  }
}

/** Returns an object without its members that are undefined. */
export function given<T extends object>(fields: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(set) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

function wordOf(name: string, schema: DescEnum): string {
  const bare = schema.sharedPrefix === undefined ? name : name.slice(schema.sharedPrefix.length);
  return bare.toLowerCase().replaceAll('_', '-');
}
