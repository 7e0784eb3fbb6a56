import { join } from 'node:path';
import type { ArchiveChecksums } from './checksums.ts';
import { PINNED_CHECKSUMS, PINNED_VERSION } from './checksums.ts';
import { type DownloadLimits, download } from './download.ts';
import { processorName } from './etcd-binary.ts';
import { runCommand } from './run-command.ts';

/** Where release archives come from, and their bounds. */
export interface ReleaseArchiveOptions extends Partial<DownloadLimits> {
  /** The address that `/v<version>/<archive>` is added to. @default etcd-io/etcd's releases on github.com */
  readonly baseUrl?: string | undefined;
  /** @default {@link PINNED_VERSION} */
  readonly version?: string | undefined;
  /** The sums that are trusted. @default {@link PINNED_CHECKSUMS} */
  readonly checksums?: ArchiveChecksums | undefined;
  /** In Node's words. @default this machine's */
  readonly platform?: NodeJS.Platform | undefined;
}

const DEFAULT_BASE_URL = 'https://github.com/etcd-io/etcd/releases/download';

/** A machine that reaches no release page goes on after 4 s; an archive is about 25 MB. */
const DEFAULT_LIMITS: DownloadLimits = {
  connectTimeoutMs: 4_000,
  totalTimeoutMs: 120_000,
  maxBytes: 128 * 1024 * 1024,
};

/**
 * Downloads etcd's release archive into `folder`, checks its sum, and only then unpacks the one file `etcd`.
 *
 * @returns the path of the binary, inside `folder`.
 * @throws Error that says in one line why there is none: no trusted sum for this machine, not reached, another sum.
 */
export async function fetchReleaseArchive(
  folder: string,
  release: ReleaseArchiveOptions,
  options: { signal: AbortSignal },
): Promise<string> {
  const { baseUrl = DEFAULT_BASE_URL, version = PINNED_VERSION, checksums = PINNED_CHECKSUMS } = release;
  const system = `${release.platform ?? process.platform}-${processorName()}`;
  const expected = checksums[`${version}/${system}`];
  if (expected === undefined) throw new Error(`no checksum of etcd ${version} for ${system} is known here`);

  const name = `etcd-v${version}-${system}`;
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/v${version}/${name}.tar.gz`);
  const archive = join(folder, `${name}.tar.gz`);
  const limits: DownloadLimits = {
    connectTimeoutMs: release.connectTimeoutMs ?? DEFAULT_LIMITS.connectTimeoutMs,
    totalTimeoutMs: release.totalTimeoutMs ?? DEFAULT_LIMITS.totalTimeoutMs,
    maxBytes: release.maxBytes ?? DEFAULT_LIMITS.maxBytes,
  };
  const actual = await download(url, archive, limits, options);
  if (actual !== expected) {
    throw new Error(`${name}.tar.gz from ${url.host} has sha256 ${actual}, but ${expected} is expected`);
  }
  await runCommand('tar', ['-xzf', archive, '-C', folder, `${name}/etcd`], { ...options, timeoutMs: 60_000 });
  return join(folder, name, 'etcd');
}
