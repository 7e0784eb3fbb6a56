// What is written of an import that takes several steps: its plan, and what each step is to write.

import { storedFields, storedText, storedTime } from '../stored-fields.ts';
import type { ConfigChange } from './config-item.ts';
import type { Edit } from './plan-edit.ts';
import type { Vault } from './vault.ts';
import { contentTypeIn } from './version-record.ts';

/** What an import is. */
export interface ImportPlan {
  readonly application: string;
  readonly profile: string;
  readonly author: string;
  readonly comment: string;
  /** Whether its steps are to be taken, whoever takes them; else they are still being written down. */
  readonly isCommitted: boolean;
  /** Milliseconds since 1970. */
  readonly createWallMs: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the value of a plan's key. */
export function planValue({ createWallMs, isCommitted, ...plan }: ImportPlan): Uint8Array {
  const createTime = new Date(createWallMs).toISOString();
  return encoder.encode(JSON.stringify({ ...plan, committed: isCommitted, createTime }));
}

/** Returns what a plan's key says. */
export function readPlan(value: Uint8Array): ImportPlan {
  const fields = new Map<string, unknown>(Object.entries(storedFields(value)));
  const [application = '', profile = '', author = '', comment = ''] = [
    'application',
    'profile',
    'author',
    'comment',
  ].map((field) => storedText(fields.get(field)));
  const createWallMs = storedTime(fields.get('createTime'));
  return {
    application,
    profile,
    author,
    comment,
    createWallMs,
    isCommitted: fields.get('committed') === true,
  };
}

/** Returns the value of a step's key. Secrets in it are encrypted, as they are in the changes. */
export function stepValue(changes: readonly ConfigChange[]): Uint8Array {
  const edits = changes.map(({ type, item: { key, value, contentType, isSecret } }) =>
    type === 'deleted'
      ? { key }
      : { key, value: decoder.decode(value), contentType, ...(isSecret && { secret: true }) },
  );
  return encoder.encode(JSON.stringify(edits));
}

/** Returns what a step's key says is to be written. Throws SECRET_KEY_UNKNOWN. */
export function readStep(
  vault: Vault,
  { application, profile }: ImportPlan,
  value: Uint8Array,
): readonly Edit[] {
  return Object.values(storedFields(value)).map((edit: unknown): Edit => {
    const fields = new Map<string, unknown>(Object.entries(edit ?? {}));
    const key = storedText(fields.get('key'));
    const text = fields.get('value');
    const expectedRevision = undefined;
    if (typeof text !== 'string') return { kind: 'delete', key, expectedRevision };
    const isSecret = fields.get('secret') === true;
    return {
      kind: 'put',
      key,
      value: vault.require({ application, profile, key }, encoder.encode(text), isSecret),
      contentType: contentTypeIn(fields.get('contentType')),
      isSecret,
      expectedRevision,
    };
  });
}
