import { readFileSync, writeFileSync } from 'node:fs';
import { createDocument, type PackageFacts } from './create-document.ts';
import { readContracts } from './read-contracts.ts';

/** Writes the OpenAPI document to a file. Needs `buf` on PATH. */
export function writeOpenApi(file: string): void {
  const facts = JSON.parse(readFileSync('package.json', 'utf8')) as PackageFacts;
  writeFileSync(file, `${JSON.stringify(createDocument(readContracts(), facts), null, 1)}\n`);
}
