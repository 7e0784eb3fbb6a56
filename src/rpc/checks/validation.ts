// Requests are held against the rules that stand in the contract (protovalidate).

import type { DescMessage, Message } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator, type Violation, violationsToProto } from '@bufbuild/protovalidate';
import type { ConnectError } from '@connectrpc/connect';
import { reasonError } from './errors.ts';

/** Throws the FIELD_INVALID error of a message that breaks a rule of its contract. */
export type Validate = (schema: DescMessage, message: Message) => void;

/** Creates the check. The rules of a message are compiled when the first of its kind comes. */
export function createValidate(): Validate {
  const validator = createValidator();
  return (schema, message) => {
    const result = validator.validate(schema, message);
    if (result.kind === 'invalid') throw fieldInvalid(result.violations);
    if (result.kind === 'error') throw result.error;
  };
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
