// Every setting: its name in the environment, its kind, its default, and what it does. Parsing, `--help` and the README's table
// all come from here.

import {
  certificate,
  choice,
  duration,
  endpoint,
  flag,
  integer,
  keyPrefix,
  list,
  listenAddress,
  network,
  origin,
  path,
  privateKey,
  processCount,
  type SettingType,
  secretKeys,
  secretToken,
  text,
} from './setting-types.ts';

/** One setting. */
export interface Definition<T, Default extends string | undefined> {
  /** Its name in the environment; the flag's name follows from it. */
  readonly env: string;
  readonly type: SettingType<T>;
  /** The text that holds where none is given; undefined: the setting is then not set. */
  readonly default: Default;
  /** What it does, as a sentence. */
  readonly description: string;
  /** What happens where it is not set, for documentation. */
  readonly unset?: string;
  /** Whether its value must not be shown. */
  readonly isSecret?: boolean;
}

function define<T, const Default extends string | undefined>(
  definition: Definition<T, Default>,
): Definition<T, Default> {
  return definition;
}

/** All settings, by the name under which the process knows them, in the order in which they are documented. */
export const DEFINITIONS = {
  listen: define({
    env: 'CONCORD_LISTEN',
    type: list(listenAddress),
    default: '127.0.0.1:8090',
    description: 'Where to listen. Port 0 takes any free port.',
  }),
  etcdEndpoints: define({
    env: 'ETCD_ENDPOINTS',
    type: list(endpoint),
    default: undefined,
    description: 'The members of the etcd cluster to use.',
    unset: 'an etcd of its own is run',
  }),
  etcdUsername: define({
    env: 'ETCD_USERNAME',
    type: text,
    default: undefined,
    description: 'The user of etcd to act as.',
    unset: 'none',
  }),
  etcdPassword: define({
    env: 'ETCD_PASSWORD',
    type: text,
    default: undefined,
    description: "That user's password.",
    unset: 'none',
    isSecret: true,
  }),
  etcdCa: define({
    env: 'ETCD_CA',
    type: certificate,
    default: undefined,
    description: "The certificates (PEM) that etcd's own must be signed with.",
    unset: 'those of Node.js',
  }),
  etcdCert: define({
    env: 'ETCD_CERT',
    type: certificate,
    default: undefined,
    description: 'The certificate (PEM) to show to etcd. Needs ETCD_KEY and ETCD_CA.',
    unset: 'none',
  }),
  etcdKey: define({
    env: 'ETCD_KEY',
    type: privateKey,
    default: undefined,
    description: 'The private key (PEM) of that certificate.',
    unset: 'none',
  }),
  etcdTimeoutMs: define({
    env: 'ETCD_TIMEOUT',
    type: duration(100, 60_000),
    default: '5s',
    description: 'The longest that one call to etcd may take, all attempts together.',
  }),
  etcdBinary: define({
    env: 'CONCORD_ETCD_BINARY',
    type: path,
    default: undefined,
    description: 'The etcd program to run where ETCD_ENDPOINTS is not set.',
    unset: 'etcd on PATH, else in the cache, else fetched',
  }),
  etcdFetch: define({
    env: 'CONCORD_ETCD_FETCH',
    type: flag,
    default: 'true',
    description: 'Whether an etcd program that is not found may be fetched.',
  }),
  dataDir: define({
    env: 'CONCORD_DATA_DIR',
    type: path,
    default: '.concord',
    description: 'Where the etcd that is run keeps its data, and where a fetched program is kept.',
  }),
  etcdRetentionMs: define({
    env: 'CONCORD_ETCD_RETENTION',
    type: duration(60_000, 31_536_000_000),
    default: '1h',
    description: 'How far back the etcd that is run keeps old revisions; older ones are compacted away.',
  }),
  servicesPrefix: define({
    env: 'CONCORD_SERVICES_PREFIX',
    type: keyPrefix,
    default: '/services',
    description: 'The keys under which service instances stand.',
  }),
  configPrefix: define({
    env: 'CONCORD_CONFIG_PREFIX',
    type: keyPrefix,
    default: '/config',
    description: 'The keys under which configuration stands.',
  }),
  configHistoryCount: define({
    env: 'CONCORD_CONFIG_HISTORY_COUNT',
    type: integer(1, 1_000_000),
    default: '10000',
    description:
      'The most versions of configuration that are kept of one application; the newest of each item always is.',
  }),
  configHistoryAgeMs: define({
    env: 'CONCORD_CONFIG_HISTORY_AGE',
    type: duration(3_600_000, 315_360_000_000),
    default: '8760h',
    description: 'How long versions of configuration are kept; the newest of each item always is.',
  }),
  secretKeys: define({
    env: 'CONCORD_SECRET_KEYS',
    type: secretKeys,
    default: undefined,
    description:
      'The keys that secret configuration is encrypted with; the first is written with, the others are still read.',
    unset: 'secrets cannot be written',
    isSecret: true,
  }),
  secretTokens: define({
    env: 'CONCORD_SECRET_TOKENS',
    type: list(secretToken),
    default: undefined,
    description: 'Who shows one of these as a bearer token may read secret configuration.',
    unset: 'nobody may',
    isSecret: true,
  }),
  probeNetworks: define({
    env: 'CONCORD_PROBE_NETWORKS',
    type: list(network),
    default: undefined,
    description:
      'Which addresses of instances may be probed: loopback, private (RFC 1918, RFC 4193), or networks such as 10.1.0.0/16.',
    unset: 'none',
  }),
  tlsCert: define({
    env: 'CONCORD_TLS_CERT',
    type: certificate,
    default: undefined,
    description:
      'The certificate (PEM) to serve with. Needs CONCORD_TLS_KEY; every listener then speaks TLS only.',
    unset: 'no TLS',
  }),
  tlsKey: define({
    env: 'CONCORD_TLS_KEY',
    type: privateKey,
    default: undefined,
    description: 'The private key (PEM) of that certificate.',
    unset: 'no TLS',
  }),
  corsOrigins: define({
    env: 'CONCORD_CORS_ORIGINS',
    type: list(origin),
    default: undefined,
    description: 'Web pages of which origins may call.',
    unset: 'none',
  }),
  requestTimeoutMs: define({
    env: 'CONCORD_REQUEST_TIMEOUT',
    type: duration(100, 3_600_000),
    default: '10s',
    description: 'The deadline of a call that brings none of its own. Streams have none.',
  }),
  pingIntervalMs: define({
    env: 'CONCORD_PING_INTERVAL',
    type: duration(100, 3_600_000),
    default: '10s',
    description:
      'How often an HTTP/2 connection is pinged. One that has not answered by the next ping is dropped, with what it holds.',
  }),
  maxRequestBytes: define({
    env: 'CONCORD_MAX_REQUEST_BYTES',
    type: integer(1_024, 67_108_864),
    default: '2097152',
    description: 'The largest request taken, in bytes. Etcd itself takes 1.5 MiB by default.',
  }),
  maxConnections: define({
    env: 'CONCORD_MAX_CONNECTIONS',
    type: integer(1, 1_000_000),
    default: '10000',
    description: 'The most connections at once.',
  }),
  maxStreams: define({
    env: 'CONCORD_MAX_STREAMS',
    type: integer(1, 1_000_000),
    default: '20000',
    description: 'The most open streams at once, over all connections.',
  }),
  watchHistoryBytes: define({
    env: 'CONCORD_WATCH_HISTORY_BYTES',
    type: integer(65_536, 17_179_869_184),
    default: '134217728',
    description:
      'The memory for changes that watches have still to send, in bytes, for all watches together.',
  }),
  drainTimeoutMs: define({
    env: 'CONCORD_DRAIN_TIMEOUT',
    type: duration(0, 600_000),
    default: '10s',
    description: 'How long calls in flight may go on after SIGTERM or SIGINT.',
  }),
  workers: define({
    env: 'CONCORD_WORKERS',
    type: processCount(64),
    default: '1',
    description:
      'How many processes serve, each on one core and with the limits above for itself; auto: as many as there are cores.',
  }),
  logLevel: define({
    env: 'CONCORD_LOG_LEVEL',
    type: choice(['silent', 'error', 'warn', 'info', 'debug']),
    default: 'info',
    description: 'What is logged; debug has a line for each call.',
  }),
  logFormat: define({
    env: 'CONCORD_LOG_FORMAT',
    type: choice(['json', 'text']),
    default: undefined,
    description: 'How it is logged, to standard error.',
    unset: 'text on a terminal, else json',
  }),
} as const;

/** What a definition's texts are read as. */
export type Settings = {
  readonly [Name in keyof typeof DEFINITIONS]: (typeof DEFINITIONS)[Name] extends Definition<
    infer T,
    infer Default
  >
    ? Default extends string
      ? T
      : T | undefined
    : never;
};

/** Returns the flag of a setting: `--listen` for CONCORD_LISTEN, `--etcd-endpoints` for ETCD_ENDPOINTS. */
export function flagName({ env }: { readonly env: string }): string {
  return env
    .replace(/^CONCORD_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}
