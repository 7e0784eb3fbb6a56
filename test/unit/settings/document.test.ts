import { describe, expect, it } from 'vitest';
import { DEFINITIONS, flagName } from '../../../src/settings/definitions.ts';
import { helpText, settingsTable } from '../../../src/settings/document.ts';

const ALL = Object.entries(DEFINITIONS);

describe('the help text', () => {
  const help = helpText();
  const words = help.replace(/\s+/g, ' ');

  it.each(ALL)('tells of %s its flag, variable, meaning, kind and default', (_, definition) => {
    expect(help).toContain(`  --${flagName(definition)}  (${definition.env})\n`);
    expect(words).toContain(definition.description);
    expect(words).toContain(`Expects ${definition.type.expects}.`);
    const fallback = definition.default ?? ('unset' in definition ? definition.unset : 'none');
    expect(words).toContain(`Default: ${fallback}.`);
  });

  it('tells of the other flags and of the exit codes', () => {
    expect(help).toContain('--help, -h');
    expect(help).toContain('--version, -v');
    expect(help).toMatch(/Exit codes: 0 .* 1 .* 2 /);
  });

  it('is at most 100 characters wide', () => {
    expect(help.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });
});

describe("the README's table", () => {
  it('has a row of four cells for each setting', () => {
    const [head, rule, ...rows] = settingsTable().split('\n');
    expect(head).toBe('| variable | flag | default | what it does |');
    expect(rule).toBe('|---|---|---|---|');
    expect(rows).toHaveLength(ALL.length);
    for (const [index, [, definition]] of ALL.entries()) {
      expect(rows[index]).toContain(`| \`${definition.env}\` | \`--${flagName(definition)}\` |`);
      expect(rows[index]?.match(/(?<!\\)\|/g)).toHaveLength(5);
    }
  });
});

describe('settings', () => {
  it('have flags and variables of their own, and descriptions that are sentences', () => {
    const definitions = ALL.map(([, definition]) => definition);
    expect(new Set(definitions.map(flagName)).size).toBe(ALL.length);
    expect(new Set(definitions.map(({ env }) => env)).size).toBe(ALL.length);
    for (const { description, env } of definitions) {
      expect(description).toMatch(/^[A-Z].*\.$/);
      expect(env).toMatch(/^(CONCORD|ETCD)(_[A-Z]+)+$/);
    }
  });

  it('have defaults that they themselves take', () => {
    for (const [, { default: value, type }] of ALL) {
      if (value !== undefined) expect(type.read(value)).toBeDefined();
    }
  });
});
