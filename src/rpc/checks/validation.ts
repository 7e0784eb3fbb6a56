// Requests are held against the rules that stand in the contract (protovalidate).

import type { DescMessage, Message } from '@bufbuild/protobuf';
import { type Path, pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator, Violation, violationsToProto } from '@bufbuild/protovalidate';
import type { ConnectError } from '@connectrpc/connect';
import { reasonError } from './errors.ts';
import { messagesToCheck } from './messages-to-check.ts';

/** Throws the FIELD_INVALID error of a message that breaks a rule of its contract. */
export type Validate = (schema: DescMessage, message: Message) => void;

const MAX_NANOS = 999_999_999;
const NONE: readonly Violation[] = [];

/** Creates the check. The rules of a message are compiled when the first of its kind comes. */
export function createValidate(): Validate {
  const validator = createValidator({ regexMatch: matches });

  function rulesBroken(schema: DescMessage, message: Message, at: Path): readonly Violation[] {
    const result = validator.validate(schema, message);
    if (result.kind === 'valid') return NONE;
    if (result.kind === 'error') throw result.error;
    return result.violations.map((broken) => within(at, broken));
  }

  return (schema, message) => {
    const broken = rulesBroken(schema, message, []);
    if (broken.length > 0) throw fieldInvalid(broken);
    for (const found of messagesToCheck(schema, message)) {
      const violations =
        found.kind === 'duration'
          ? malformedDuration(found)
          : rulesBroken(found.schema, found.message, found.at);
      if (violations.length > 0) throw fieldInvalid(violations);
    }
  };
}

const patterns = new Map<string, RegExp>();

/** The patterns are those of the contracts, and none of them can take long; RE2's engine for JavaScript takes ten times as long. */
function matches(pattern: string, text: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    compiled = new RegExp(pattern, 'u');
    patterns.set(pattern, compiled);
  }
  return compiled.test(text);
}

/** The validator compares the time that a duration comes to, and not whether it is written as the contract of durations asks. */
function malformedDuration(duration: {
  readonly seconds: bigint;
  readonly nanos: number;
  readonly at: Path;
}): readonly Violation[] {
  const { seconds, nanos, at } = duration;
  const isSigned = seconds === 0n || nanos === 0 || seconds < 0n === nanos < 0;
  if (Math.abs(nanos) <= MAX_NANOS && isSigned) return [];
  return [
    new Violation(
      'seconds and nanos must have one sign, nanos less than a second',
      'duration.form',
      at,
      [],
      false,
    ),
  ];
}

function within(at: Path, { message, ruleId, field, rule, forKey }: Violation): Violation {
  return new Violation(message, ruleId, [...at, ...field], rule, forKey);
}

/** The message and metadata tell of the first violation, the detail `buf.validate.Violations` of all. */
function fieldInvalid(violations: readonly Violation[]): ConnectError {
  const [first] = violations;
  const field = first === undefined ? '' : pathToString(first.field);
  const description = first?.message ?? '';
  const where = field === '' ? 'The request' : `Field "${field}"`;
  const metadata = { field, rule: first?.ruleId ?? '', description };
  const error = reasonError('FIELD_INVALID', `${where} is invalid: ${description}`, metadata);
  const [value, desc] = violationsToProto([...violations]);
  error.details.push({ desc, value });
  return error;
}
