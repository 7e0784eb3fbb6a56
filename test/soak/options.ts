import { parseArgs } from 'node:util';

/** What one run of the soak does. */
export interface SoakOptions {
  /** How many changes of a key are written. */
  readonly events: number;
  readonly subscribers: number;
  /** The subscribers are spread over so many prefixes, and each change is one of one prefix. */
  readonly groups: number;
  /** Connections to the gateway, shared by the subscribers. */
  readonly connections: number;
  /** How many keys a prefix has. */
  readonly keys: number;
  /** The most keys that change at one revision. */
  readonly batch: number;
  /** The mean time between two faults of the connection to etcd, in milliseconds. 0: none. */
  readonly faultEveryMs: number;
  /** The memory that the gateway may hold for changes, in bytes. */
  readonly historyBytes: number;
  /** The etcd binary; undefined: the one that tests use. */
  readonly etcdBinary: string | undefined;
  /** How many locks are acquired afterwards; 0: none. */
  readonly acquisitions: number;
  /** How many reads and writes of registers have a known outcome after that; 0: there are none. */
  readonly operations: number;
  /** How many random calls are sent past the library of Connect and by it at last; 0: none. */
  readonly calls: number;
  /** Makes the same random calls again. @default others each time */
  readonly seed: number | undefined;
}

/** A command line that cannot be followed, said in one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DEFAULTS = {
  events: '1000000',
  subscribers: '1000',
  groups: '50',
  connections: '20',
  keys: '50',
  batch: '10',
  'fault-every': '2000',
  'history-bytes': '134217728',
  acquisitions: '10000',
  operations: '200000',
  calls: '10000',
} as const;

/** The text that `--help` prints. */
export const SOAK_HELP = `npm run test:soak -- [options]

Writes events to an etcd, which a gateway watches through a connection that breaks again and again, and counts what its
subscribers were told: nothing may be lost, come twice or come out of order. Then 50 clients acquire 5 locks and raise a counter
under each, while members of a cluster, connections and gateways go wrong: no count may be lost, and no two hold at a time. At last
50 clients read and write the same few keys under such faults: what they were told must be linearizable. Then the same
random calls, sound ones and others, go past the library of Connect and by it: they must be answered the same.

  --events <n>         changes of a key that are written (${DEFAULTS.events})
  --subscribers <n>    watches of the gateway (${DEFAULTS.subscribers})
  --groups <n>         prefixes that the subscribers are spread over: each sees the changes of one (${DEFAULTS.groups})
  --connections <n>    connections to the gateway (${DEFAULTS.connections})
  --keys <n>           keys of a prefix (${DEFAULTS.keys})
  --batch <n>          the most keys that change at one revision (${DEFAULTS.batch})
  --fault-every <ms>   mean time between two faults of the connection to etcd; 0: none (${DEFAULTS['fault-every']})
  --history-bytes <n>  CONCORD_WATCH_HISTORY_BYTES of the gateway (${DEFAULTS['history-bytes']})
  --acquisitions <n>   locks that are acquired afterwards; 0: none (${DEFAULTS.acquisitions})
  --operations <n>     reads and writes of known outcome after that; 0: none (${DEFAULTS.operations})
  --calls <n>          random calls that are sent both ways after that; 0: none (${DEFAULTS.calls})
  --seed <n>           the calls of an earlier run, which has told its seed
  --etcd <binary>      etcd to run on (the one that tests use)

Twenty seconds: npm run test:soak -- --events 20000 --subscribers 100 --groups 5 --acquisitions 0 --operations 0 --calls 0`;

/** Reads the command line; gives undefined where help is asked for. Throws a {@link UsageError}. */
export function parseSoakOptions(args: readonly string[]): SoakOptions | undefined {
  const values = readArguments(args);
  if (values.help) return undefined;
  const number = (name: keyof typeof DEFAULTS | 'seed', least = 1) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least) {
      throw new UsageError(`--${name} takes a whole number from ${least} on, not "${values[name]}"`);
    }
    return value;
  };
  const options = {
    events: number('events'),
    subscribers: number('subscribers'),
    groups: number('groups'),
    connections: number('connections'),
    keys: number('keys'),
    batch: number('batch'),
    faultEveryMs: number('fault-every', 0),
    historyBytes: number('history-bytes'),
    etcdBinary: values.etcd,
    acquisitions: number('acquisitions', 0),
    operations: number('operations', 0),
    calls: number('calls', 0),
    seed: values.seed === undefined ? undefined : number('seed', 0),
  };
  if (options.batch > options.keys) throw new UsageError('--batch takes no more than --keys');
  if (options.groups > options.subscribers) throw new UsageError('--groups takes no more than --subscribers');
  return options;
}

function readArguments(args: readonly string[]) {
  const texts = Object.entries(DEFAULTS).map(([name, value]) => [name, { type: 'string', default: value }]);
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...(Object.fromEntries(texts) as Record<keyof typeof DEFAULTS, { type: 'string'; default: string }>),
        seed: { type: 'string' },
        etcd: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
