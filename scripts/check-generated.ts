// Says whether gen/ is what `npm run generate` would make now; exit code 1 if not.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeOpenApi } from './openapi/write-openapi.ts';

const folder = mkdtempSync(join(tmpdir(), 'concord-gen-'));
try {
  execFileSync('buf', ['generate', '--output', folder], { stdio: 'inherit' });
  writeOpenApi(join(folder, 'gen/openapi.json'));
  const differing = [...new Set([...filesIn('gen'), ...filesIn(join(folder, 'gen'))])].filter(
    (name) => contentOf(join('gen', name)) !== contentOf(join(folder, 'gen', name)),
  );
  if (differing.length > 0) {
    process.stderr.write(`gen/ is not current (${differing.join(', ')}); run: npm run generate\n`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function filesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
