// Writes the settings' table, made from their schema, into the READMEs.

import { readFileSync, writeFileSync } from 'node:fs';
import { settingsTable } from '../src/settings/document.ts';

const BEGIN = '<!-- settings: written by npm run generate -->';
const END = '<!-- end of settings -->';

for (const file of ['README.md', 'README.zh-CN.md']) {
  const text = readFileSync(file, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin === -1 || end < begin)
    throw new Error(`${file} has no place for the settings: ${BEGIN} … ${END}`);
  writeFileSync(file, `${text.slice(0, begin)}${BEGIN}\n\n${settingsTable()}\n\n${text.slice(end)}`);
}
