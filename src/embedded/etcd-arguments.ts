import { acceptsFlag } from './etcd-binary.ts';

/** What one etcd is started with. */
export interface EtcdSettings {
  /** The member's name in its cluster. @default 'concord' */
  readonly name?: string | undefined;
  /** etcd's own data directory. */
  readonly dataDir: string;
  /** The address it listens on, for clients and peers. */
  readonly host: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** For clients; `https` goes with TLS flags in `extraArguments`. @default 'http' */
  readonly scheme?: 'http' | 'https' | undefined;
  /** `name=peer address` of all members, with commas. @default this one alone */
  readonly initialCluster?: string | undefined;
  /** How far back revisions are kept, in etcd's words (`1h`). @default undefined: nothing is compacted */
  readonly autoCompactionRetention?: string | undefined;
  /** Whether a crash of the machine may lose confirmed writes: for tests. @default false */
  readonly unsafeNoFsync?: boolean | undefined;
  /** Further flags; they come last and so win. @default none */
  readonly extraArguments?: readonly string[] | undefined;
}

/** The name of the watch progress flag: experimental before etcd 3.6, gone under that name from 3.7. */
export type ProgressFlag =
  | '--watch-progress-notify-interval'
  | '--experimental-watch-progress-notify-interval';

const PROGRESS_INTERVAL = '10s';

/** Asks a binary which name it has for the watch progress flag, the one flag of ours that differs from 3.4 to 3.7. */
export async function findProgressFlag(
  binary: string,
  options: { signal: AbortSignal },
): Promise<ProgressFlag> {
  const flag = '--watch-progress-notify-interval';
  const isKnown = await acceptsFlag(binary, `${flag}=${PROGRESS_INTERVAL}`, options);
  return isKnown ? flag : '--experimental-watch-progress-notify-interval';
}

/** The command line of one etcd, valid from 3.4 to 3.7; logs go to stderr as JSON lines, warnings and worse. */
export function etcdArguments(settings: EtcdSettings, progressFlag: ProgressFlag): readonly string[] {
  const { name = 'concord', host, clientPort, peerPort, scheme = 'http' } = settings;
  const clientUrl = urlOf(host, clientPort, scheme);
  const peerUrl = urlOf(host, peerPort);
  const retention = settings.autoCompactionRetention;
  return [
    `--name=${name}`,
    `--data-dir=${settings.dataDir}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${settings.initialCluster ?? `${name}=${peerUrl}`}`,
    '--logger=zap',
    '--log-level=warn',
    '--log-outputs=stderr',
    `${progressFlag}=${PROGRESS_INTERVAL}`,
    ...(retention === undefined
      ? []
      : ['--auto-compaction-mode=periodic', `--auto-compaction-retention=${retention}`]),
    ...(settings.unsafeNoFsync === true ? ['--unsafe-no-fsync'] : []),
    ...(settings.extraArguments ?? []),
  ];
}

/** The address of a listener; an IPv6 address goes in brackets. */
export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
