// What is said of a field in words: the bounds that no JSON Schema holds, and the default that its comment names.

import { type DescField, ScalarType } from '@bufbuild/protobuf';
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import type { FieldRules } from '../../gen/buf/validate/validate_pb.ts';

/** Seconds in the units that comments use. */
const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, minute: 60, hour: 3_600, day: 86_400 };

/** Returns the bounds of a field as sentences, those left out that its comment already speaks of. */
export function boundsInWords({ type }: FieldRules, comment: string): readonly string[] {
  switch (type.case) {
    case 'string':
      return sizeInWords(type.value.minBytes, type.value.maxBytes, comment);
    case 'bytes':
      return sizeInWords(type.value.minLen, type.value.maxLen, comment);
    case 'int64': {
      const { greaterThan, lessThan } = type.value;
      if (/\b(at least|from|more than|required|revision)\b|\d/i.test(comment)) return [];
      return [
        ...(greaterThan.case === 'gt' ? [`More than ${greaterThan.value}.`] : []),
        ...(greaterThan.case === 'gte' ? [`At least ${greaterThan.value}.`] : []),
        ...(lessThan.case === 'lte' ? [`At most ${lessThan.value}.`] : []),
      ];
    }
    case 'duration': {
      const { greaterThan, lessThan } = type.value;
      if (/\bat most\b|\d m?s to \d/i.test(comment)) return [];
      return [
        ...(greaterThan.case === 'gt' ? [`More than ${secondsOf(greaterThan.value)}.`] : []),
        ...(greaterThan.case === 'gte' ? [`At least ${secondsOf(greaterThan.value)}.`] : []),
        ...(lessThan.case === 'lte' ? [`At most ${secondsOf(lessThan.value)}.`] : []),
      ];
    }
    default:
      return [];
  }
}

/** Returns the default that a comment names (`Default: 15 s.`), as JSON writes it; undefined: it names none that a schema could. */
export function defaultIn(field: DescField, comment: string): unknown {
  const [, said = ''] = /\bDefault: ([^.,;]+)/.exec(comment) ?? [];
  switch (field.fieldKind) {
    case 'enum':
      return field.enum.values.find(({ name }) => name === said)?.name;
    case 'scalar':
      if (field.scalar === ScalarType.STRING) return /^[`"](.*)[`"]$/.exec(said)?.[1];
      if (!/^\d+$/.test(said)) return undefined;
      return field.scalar === ScalarType.INT32 ? Number(said) : said;
    case 'message':
      return field.message.typeName === DurationSchema.typeName ? durationIn(said) : undefined;
    default:
      return undefined;
  }
}

function durationIn(said: string): string | undefined {
  if (said === '0') return '0s';
  const [, count, unit = ''] = /^(\d+) (ms|s|minute|hour|day)s?$/.exec(said) ?? [];
  return count === undefined ? undefined : `${Number(count) * (UNITS[unit] ?? 0)}s`;
}

function sizeInWords(min: bigint, max: bigint, comment: string): readonly string[] {
  if (/\bbytes\b|[KM]iB/.test(comment)) return [];
  if (min > 0n) return [`${min} to ${max} bytes.`];
  return max > 0n ? [`At most ${max} bytes.`] : [];
}

function secondsOf({ seconds, nanos }: Duration): string {
  return `${Number(seconds) + nanos / 1e9} s`;
}
