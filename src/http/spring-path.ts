import { reasonError } from '../rpc/checks/errors.ts';
import { fieldInvalid } from './field-invalid.ts';

/** The path below which Spring Cloud Config's clients ask. */
export const SPRING_PREFIX = '/spring/';

/** What a client of Spring Cloud Config asks for. */
export interface SpringPath {
  /** As it was asked for, all applications in one. */
  readonly name: string;
  readonly applications: readonly string[];
  readonly profiles: readonly string[];
  readonly label: string | undefined;
}

const MAX_NAMES = 16;
const MAX_BYTES = { application: 256, profiles: 128 } as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL_CHARACTER = /[\x00-\x1f\x7f-\x9f]/;
/** How Spring's clients send a slash in a label. */
const SLASH_IN_LABEL = '(_)';

/**
 * Reads `/spring/{application}/{profiles}` and `/spring/{application}/{profiles}/{label}` as they were sent. Of applications and
 * profiles there may be several, separated by commas: names as the contract has them, none of them twice.
 *
 * Throws FIELD_INVALID, and REQUEST_MALFORMED for a path of another shape.
 */
export function readSpringPath(path: string): SpringPath {
  const [application = '', profiles, label = '', ...rest] = path.slice(SPRING_PREFIX.length).split('/');
  if (profiles === undefined || rest.length > 0) {
    throw reasonError(
      'REQUEST_MALFORMED',
      'The path is not /spring/{application}/{profiles} or /spring/{application}/{profiles}/{label}',
    );
  }
  const name = decoded('application', application);
  return {
    name,
    applications: namesIn('application', name),
    profiles: namesIn('profiles', decoded('profiles', profiles)),
    label: decoded('label', label).replaceAll(SLASH_IN_LABEL, '/') || undefined,
  };
}

function decoded(field: string, segment: string): string {
  const text = decodeSegment(segment);
  if (text === undefined) throw fieldInvalid(field, 'string.utf8', 'must be percent-encoded UTF-8');
  if (CONTROL_CHARACTER.test(text)) {
    throw fieldInvalid(field, 'string.pattern', 'must not hold control characters');
  }
  return text;
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Thrown for nothing but a malformed encoding.
    return undefined;
  }
}

function namesIn(field: keyof typeof MAX_BYTES, text: string): readonly string[] {
  const names = text.split(',').map((name) => name.replace(/^ +| +$/g, ''));
  if (names.length > MAX_NAMES) {
    throw fieldInvalid(field, 'repeated.max_items', `must be at most ${MAX_NAMES} names`);
  }
  for (const name of names) {
    if (name === '') throw fieldInvalid(field, 'string.min_bytes', 'must not have an empty name');
    if (name.includes('/')) throw fieldInvalid(field, 'string.pattern', 'must not have a name with a slash');
    if (Buffer.byteLength(name) > MAX_BYTES[field]) {
      const description = `must have no name of more than ${MAX_BYTES[field]} bytes`;
      throw fieldInvalid(field, 'string.max_bytes', description);
    }
  }
  if (new Set(names).size < names.length) {
    throw fieldInvalid(field, 'repeated.unique', 'must not have a name twice');
  }
  return names;
}
