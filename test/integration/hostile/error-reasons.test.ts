import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Code } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { type ErrorReason, ErrorReasonSchema } from '../../../gen/concord/error/v1/error_reason_pb.ts';
import type { ErrorReason as DomainReason } from '../../../src/domain/errors.ts';
import { CODES, reasonError } from '../../../src/rpc/checks/errors.ts';

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url));
const PREFIX = 'ERROR_REASON_';

/** Compiles only while the enum of the contract and the domain's union have the same names. */
type ContractReason = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'>;
const SAME: [ContractReason, DomainReason] extends [DomainReason, ContractReason] ? true : false = true;

describe('the reasons of the contract', () => {
  it('are those of the domain, and each has a code', () => {
    expect(SAME).toBe(true);
    const names = ErrorReasonSchema.values.map(({ name }) => name.replace(PREFIX, ''));
    expect(Object.keys(CODES).toSorted()).toEqual(names.filter((name) => name !== 'UNSPECIFIED').toSorted());
  });

  it('begin their comments with the code that they come with', () => {
    const documented = documentedCodes();
    for (const [reason, code] of Object.entries(CODES))
      expect(documented.get(reason), reason).toBe(screaming(code));
    expect(documented.size).toBe(Object.keys(CODES).length);
  });

  it('leave with the code of the table', () => {
    for (const reason of Object.keys(CODES) as DomainReason[]) {
      expect(reasonError(reason, 'message').code, reason).toBe(CODES[reason]);
    }
  });

  it('are named by the services with the code that they come with, wherever these name both', () => {
    const named = [...serviceText().matchAll(/\b([A-Z_]{5,})((?: `[A-Z_]+`(?:,? or)?)+)/g)];
    const pairs = named.flatMap(([, code = '', reasons = '']) =>
      [...reasons.matchAll(/`([A-Z_]+)`/g)].map(([, reason = '']) => [code, reason] as const),
    );
    expect(pairs.length).toBeGreaterThan(10);
    for (const [code, reason] of pairs) {
      expect(Object.keys(CODES), `${code} \`${reason}\``).toContain(reason);
      expect(screaming(CODES[reason as DomainReason]), reason).toBe(code);
    }
  });

  it('are the only words in capitals that the services name, besides values of enums', () => {
    const text = serviceText();
    const values = new Set([...text.matchAll(/\b([A-Z][A-Z0-9_]+) = \d/g)].map(([, name]) => name));
    for (const [, name = ''] of text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)) {
      if (!values.has(name)) expect(Object.keys(CODES), name).toContain(name);
    }
  });
});

/** The code that each reason's comment begins with. */
function documentedCodes(): ReadonlyMap<string, string> {
  const text = readFileSync(`${PROTO}/concord/error/v1/error_reason.proto`, 'utf8');
  const entries = text.matchAll(
    /\n {2}\/\/ ([A-Z_]+): [^\n]*\n(?: {2}\/\/[^\n]*\n)* {2}ERROR_REASON_([A-Z_]+) = /g,
  );
  return new Map([...entries].map(([, code = '', reason = '']) => [reason, code]));
}

/** All of the contract but the reasons themselves, each comment as one line. */
function serviceText(): string {
  return globSync('concord/**/*.proto', { cwd: PROTO })
    .filter((file) => !file.endsWith('error_reason.proto'))
    .map((file) => readFileSync(`${PROTO}/${file}`, 'utf8'))
    .join('\n')
    .replaceAll(/\n *\/\/ /g, ' ');
}

/** As the contract writes a code: `NOT_FOUND`. */
function screaming(code: Code): string {
  return (Code[code] ?? '').replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
