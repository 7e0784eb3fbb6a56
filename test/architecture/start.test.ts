import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What no gateway needs to be ready: it is loaded when it is first asked for. */
const ON_DEMAND = [
  '@bufbuild/cel',
  '@bufbuild/protovalidate',
  'ajv',
  'commander',
  'prom-client',
  'properties-file',
  'smol-toml',
  'src/documents/create-documents.ts',
  'src/embedded/find-etcd.ts',
  'yaml',
];

describe('the start of a gateway', () => {
  it('loads nothing that it can do without', () => {
    const loaded = new Set<string>();
    for (const each of ['src/serve.ts', 'src/start-alone.ts', 'src/app.ts']) load(each, loaded);
    expect(loaded).toContain('src/transport/start-server.ts');
    expect(ON_DEMAND.filter((each) => loaded.has(each))).toEqual([]);
  });
});

/** Adds what a file imports from the start, directly or not: files of ours, and packages. */
function load(file: string, loaded: Set<string>): void {
  if (loaded.has(file)) return;
  loaded.add(file);
  if (!file.endsWith('.ts')) return;
  const text = readFileSync(file, 'utf8');
  for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\b(?! type)[^;]*?from '([^']+)'/gms))
    load(specifier.startsWith('.') ? join(dirname(file), specifier) : specifier, loaded);
}
