import { runCommand } from './run-command.ts';

/** The oldest etcd that is run: the earlier ones lack the watch fragments and progress requests that are relied on. */
export const OLDEST_VERSION = '3.4.0';

/**
 * What `etcd --version` answers, such as `3.6.14`.
 *
 * @throws CommandError when the file does not run, an Error when its answer is not etcd's or it is older than 3.4.
 */
export async function readEtcdVersion(binary: string, options: { signal: AbortSignal }): Promise<string> {
  const output = await runEtcd(binary, ['--version'], options);
  const version = parseEtcdVersion(output);
  if (version === undefined) throw new Error(`${binary} --version answered something that is not etcd's`);
  if (compareVersions(version, OLDEST_VERSION) < 0) {
    throw new Error(`${binary} is etcd ${version}; the oldest that works is ${OLDEST_VERSION}`);
  }
  return version;
}

/** Whether this etcd knows a flag, found out by asking it: `etcd <flag> --version` fails on a flag it lacks. */
export async function acceptsFlag(
  binary: string,
  flag: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  try {
    await runEtcd(binary, [flag, '--version'], options);
    return true;
  } catch {
    options.signal.throwIfAborted();
    return false;
  }
}

/** The version in the answer to `etcd --version`, without a leading `v`; undefined when there is none. */
export function parseEtcdVersion(output: string): string | undefined {
  return /^etcd Version:\s*v?(\d+\.\d+\.\d+\S*)/m.exec(output)?.[1];
}

/** Negative when `a` is the older version, positive when it is the newer, 0 when they are one. Suffixes do not count. */
export function compareVersions(a: string, b: string): number {
  const left = numbersOf(a);
  const right = numbersOf(b);
  const at = left.findIndex((number, index) => number !== right[index]);
  return at === -1 ? 0 : (left[at] ?? 0) - (right[at] ?? 0);
}

/** This machine's processor in Go's words, as in the names of release archives: `amd64`, `arm64`, `ppc64le`. */
export function processorName(arch: string = process.arch): string {
  return GO_NAMES[arch] ?? arch;
}

const GO_NAMES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/**
 * The line of shell that etcd must be started after: etcd 3.4 refuses 64-bit ARM, and every etcd the rarer processors,
 * unless a variable names the processor, even for `--version`.
 */
export function architectureLine(arch: string = process.arch): string {
  return arch === 'x64' ? ':' : `export ETCD_UNSUPPORTED_ARCH=${processorName(arch)}`;
}

function numbersOf(version: string): readonly number[] {
  return version.split(/[.\-+]/, 3).map(Number);
}

function runEtcd(binary: string, args: readonly string[], options: { signal: AbortSignal }): Promise<string> {
  return runCommand('sh', ['-c', `${architectureLine()}; exec "$@"`, 'sh', binary, ...args], options);
}
