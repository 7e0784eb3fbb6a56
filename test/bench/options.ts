import { parseArgs } from 'node:util';
import type { Row } from './row.ts';

/** What one run of the bench does. */
export interface BenchOptions {
  readonly rows: readonly Row[];
  readonly rounds: number;
  readonly seconds: number;
  /** How many leases are renewed where many are. */
  readonly leases: number;
  /** The etcd binary; undefined: the one that tests use. */
  readonly etcdBinary: string | undefined;
  readonly isProfiled: boolean;
  /** Whether h2load and wrk make load where they can. */
  readonly areToolsUsed: boolean;
}

/** A command line that cannot be followed, said in one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DEFAULT_ROUNDS = '5';
const DEFAULT_SECONDS = '2';
const DEFAULT_LEASES = '100000';

/** Reads the command line; gives undefined where help is asked for. Throws a {@link UsageError}. */
export function parseOptions(args: readonly string[], rows: readonly Row[]): BenchOptions | undefined {
  const { values, positionals } = readArguments(args);
  if (values.help) return undefined;
  return {
    rows: positionals.length === 0 ? rows : positionals.map((name) => findRow(name, rows)),
    rounds: positive('--rounds', values.rounds, Number.isInteger),
    seconds: positive('--seconds', values.seconds, Number.isFinite),
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
        rounds: { type: 'string', default: DEFAULT_ROUNDS },
        seconds: { type: 'string', default: DEFAULT_SECONDS },
        leases: { type: 'string', default: DEFAULT_LEASES },
        etcd: { type: 'string' },
        profile: { type: 'boolean', default: false },
        'no-tools': { type: 'boolean', default: false },
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
    'npm run bench -- [options] [row ...]',
    '',
    'Measures Concord beside etcd in one run, on servers that it starts itself. Only ratios within one run count.',
    '',
    'rows, by default all:',
    ...rows.map(({ name, describes }) => `  ${name.padEnd(width)}  ${describes}`),
    '',
    'options:',
    `  --rounds N    rounds that count; one more goes before them (default ${DEFAULT_ROUNDS})`,
    `  --seconds N   how long each server is loaded in each round (default ${DEFAULT_SECONDS})`,
    `  --leases N    how many leases auto-renewal has; its target is for the default (default ${DEFAULT_LEASES})`,
    '  --etcd PATH   the etcd binary (default $CONCORD_TEST_ETCD, else the one that tests find)',
    '  --profile     profiles the gateways: prints where they spend their time, and leaves .cpuprofiles in bench-results/;',
    '                the figures of such a run are too low',
    '  --no-tools    all load is made by the loop of our own, also where h2load and wrk are and can',
    '  --help',
  ].join('\n');
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
