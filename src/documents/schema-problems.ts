import type { ErrorObject } from 'ajv';
import { pathOf } from './json-pointer.ts';

/** Where a value breaks a schema, and how. */
export interface Violation {
  readonly message: string;
  readonly path: readonly string[];
}

/** How long the values that a schema allows may be, written one behind the other. */
const MAX_ALLOWED = 200;

/**
 * Returns what an error of Ajv says, without what the value holds. What Ajv says itself comes from the schema alone; the name of a member
 * that must not be there is said by the path, so that one finds its line.
 */
export function violationOf(error: ErrorObject): Violation {
  const { keyword, instancePath, propertyName, params } = error;
  const path = pathOf(instancePath);
  if (propertyName !== undefined)
    return { message: `has a name that ${messageOf(error)}`, path: [...path, propertyName] };
  switch (keyword) {
    case 'additionalProperties':
      return { message: 'must not be there', path: [...path, String(params['additionalProperty'])] };
    case 'unevaluatedProperties':
      return { message: 'must not be there', path: [...path, String(params['unevaluatedProperty'])] };
    default:
      return { message: messageOf(error), path };
  }
}

function messageOf({ keyword, params, message = 'breaks the schema' }: ErrorObject): string {
  switch (keyword) {
    case 'const':
      return oneOf([params['allowedValue']]) ?? message;
    case 'enum':
      return oneOf(params['allowedValues'] as readonly unknown[]) ?? message;
    case 'required':
      return `must have the property ${JSON.stringify(params['missingProperty'])}`;
    case 'false schema':
      return 'must not be there';
    default:
      return message;
  }
}

function oneOf(values: readonly unknown[]): string | undefined {
  const written = values.map((value) => JSON.stringify(value)).join(', ');
  if (written.length > MAX_ALLOWED) return undefined;
  return values.length === 1 ? `must be ${written}` : `must be one of ${written}`;
}
