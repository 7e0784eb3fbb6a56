import { ViolationsSchema } from '../../gen/buf/validate/validate_pb.ts';
import { reasonError } from '../rpc/checks/errors.ts';

/**
 * Returns the error of a part of a request that breaks a rule, as the contract has it of fields: INVALID_ARGUMENT `FIELD_INVALID` with
 * `buf.validate.Violations`.
 *
 * @param rule such as `string.max_bytes`.
 * @param description as the end of a sentence about the field, such as `must not be empty`. It never quotes what was sent.
 */
export function fieldInvalid(field: string, rule: string, description: string): Error {
  const metadata = { field, rule, description };
  const error = reasonError('FIELD_INVALID', `Field "${field}" is invalid: ${description}`, metadata);
  const violation = { field: { elements: [{ fieldName: field }] }, ruleId: rule, message: description };
  error.details.push({ desc: ViolationsSchema, value: { violations: [violation] } });
  return error;
}
