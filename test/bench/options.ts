import { parseArgs } from 'node:util';
import type { Row } from './row.ts';

/** What one run of the bench does. */
export interface BenchOptions {
  readonly subject: Subject;
  readonly rounds: number;
  readonly seconds: number;
  /** How many leases are renewed where many are. */
  readonly leases: number;
  /** The etcd binary; undefined: the one that tests use. */
  readonly etcdBinary: string | undefined;
  readonly isProfiled: boolean;
  /** Whether h2load and wrk make load where they can. */
  readonly areToolsUsed: boolean;
  /** Whether docs/performance is written anew with what comes of it. */
  readonly isDocumented: boolean;
}

/** What is measured: rows of the table, or how figures grow. */
export type Subject = { readonly kind: 'rows'; readonly rows: readonly Row[] } | { readonly kind: 'growth' };

/** The words that stand for something else than a row. */
const BARS = 'bars';
const GROWTH = 'growth';

/** A command line that cannot be followed, said in one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DEFAULTS = {
  rows: { rounds: '5', seconds: '2' },
  growth: { rounds: '2', seconds: '0.75' },
} as const;
const DEFAULT_LEASES = '100000';

/** Reads the command line; gives undefined where help is asked for. Throws a {@link UsageError}. */
export function parseOptions(args: readonly string[], rows: readonly Row[]): BenchOptions | undefined {
  const { values, positionals } = readArguments(args);
  if (values.help) return undefined;
  const subject = findSubject(positionals, rows);
  const isDocumented = values.document;
  if (isDocumented && positionals.join() !== BARS && positionals.join() !== GROWTH) {
    throw new UsageError(`--document goes with "${BARS}" or "${GROWTH}"`);
  }
  const defaults = DEFAULTS[subject.kind];
  return {
    subject,
    isDocumented,
    rounds: positive('--rounds', values.rounds ?? defaults.rounds, Number.isInteger),
    seconds: positive('--seconds', values.seconds ?? defaults.seconds, Number.isFinite),
    leases: positive('--leases', values.leases, Number.isInteger),
    etcdBinary: values.etcd,
    isProfiled: values.profile,
    areToolsUsed: !values['no-tools'],
  };
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        leases: { type: 'string', default: DEFAULT_LEASES },
        etcd: { type: 'string' },
        profile: { type: 'boolean', default: false },
        'no-tools': { type: 'boolean', default: false },
        document: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** The text that `--help` prints. */
export function benchHelp(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return [
    `npm run bench -- [options] [row ... | ${BARS} | ${GROWTH}]`,
    '',
    'Measures Concord beside etcd in one run, on servers that it starts itself. Only ratios within one run count.',
    '',
    'rows, by default all:',
    ...rows.map(({ name, describes }) => `  ${name.padEnd(width)}  ${describes}`),
    '',
    `${BARS}: the rows that have to reach something`,
    `${GROWTH}: how figures grow, with 1 to 1,000 calls in flight, 100 to 1,000,000 keys, 10 to 10,000 subscribers`,
    '',
    'options:',
    `  --rounds N    rounds that count; one more goes before them (default ${DEFAULTS.rows.rounds}; ${GROWTH}: ${DEFAULTS.growth.rounds})`,
    `  --seconds N   how long each server is loaded in each round (default ${DEFAULTS.rows.seconds}; ${GROWTH}: ${DEFAULTS.growth.seconds})`,
    `  --leases N    how many leases auto-renewal has; its target is for the default (default ${DEFAULT_LEASES})`,
    '  --etcd PATH   the etcd binary (default $CONCORD_TEST_ETCD, else 3.5 where Go is, else the one that tests find)',
    '  --profile     profiles the gateways: prints where they spend their time, and leaves .cpuprofiles in bench-results/;',
    '                the figures of such a run are too low',
    '  --no-tools    all load is made by the loop of our own, also where h2load and wrk are and can',
    `  --document    writes docs/performance.md anew with what comes of ${BARS} or ${GROWTH}`,
    '  --help',
  ].join('\n');
}

function findSubject(names: readonly string[], rows: readonly Row[]): Subject {
  if (names.join() === GROWTH) return { kind: 'growth' };
  if (names.join() === BARS) return { kind: 'rows', rows: rows.filter(({ isBar }) => isBar) };
  return { kind: 'rows', rows: names.length === 0 ? rows : names.map((name) => findRow(name, rows)) };
}

function findRow(name: string, rows: readonly Row[]): Row {
  const row = rows.find((each) => each.name === name);
  if (row === undefined) {
    throw new UsageError(`there is no row "${name}"; there are ${rows.map((each) => each.name).join(', ')}`);
  }
  return row;
}

function positive(flag: string, text: string, isValid: (value: number) => boolean): number {
  const value = Number(text);
  if (!isValid(value) || value <= 0) throw new UsageError(`${flag} is "${text}"; expected a number above 0`);
  return value;
}
