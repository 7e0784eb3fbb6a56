// The settings as people read them.

import { DEFINITIONS, type Definition, flagName } from './definitions.ts';

const ALL: readonly Definition<unknown, string | undefined>[] = Object.values(DEFINITIONS);

const WIDTH = 100;
const INDENT = ' '.repeat(6);

/** Returns the text of `--help`. */
export function helpText(): string {
  const settings = ALL.map((each) =>
    [
      `  --${flagName(each)}  (${each.env})`,
      ...wrap(each.description),
      ...wrap(`Expects ${each.type.expects}. Default: ${defaultText(each)}.`),
    ].join('\n'),
  );
  return [
    'concord: a gRPC, gRPC-Web, Connect and HTTP/JSON service in front of etcd',
    '',
    'Usage: concord serve [flags], or npm start -- [flags]',
    '',
    'Each setting is a flag or an environment variable; the flag wins.',
    '',
    ...settings,
    '  --help, -h',
    ...wrap('Prints this text.'),
    '  --version, -v',
    ...wrap('Prints the version.'),
    '',
    'Exit codes: 0 after SIGTERM or SIGINT, 1 after a failure, 2 for a setting that cannot be used.',
  ].join('\n');
}

/** Returns the README's table. */
export function settingsTable(): string {
  const rows = ALL.map(
    (each) =>
      `| \`${each.env}\` | \`--${flagName(each)}\` | ${defaultText(each, '`')} | ${each.description} |`,
  );
  return ['| variable | flag | default | what it does |', '|---|---|---|---|', ...rows].join('\n');
}

function defaultText({ default: value, unset = 'none' }: (typeof ALL)[number], quote = ''): string {
  return value === undefined ? unset : `${quote}${value}${quote}`;
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = INDENT;
  for (const word of text.split(' ')) {
    if (line.length + word.length >= WIDTH) {
      lines.push(line.trimEnd());
      line = INDENT;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
