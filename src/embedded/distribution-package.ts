import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';

/** Package lists of a slow mirror take their time; beyond this the attempt is given up. */
const STEP_TIMEOUT_MS = 120_000;

/**
 * Downloads the distribution's package `etcd-server` (Debian, Ubuntu) and unpacks it into `folder`.
 *
 * Nothing is installed and root is not needed: apt's lists, cache and locks are folders of ours, the hooks that
 * would touch the system after an update are cleared, and apt checks signatures as always. Takes about 3 s.
 *
 * @returns the path of the binary, inside `folder`.
 * @throws Error that says in one line why there is none, such as a machine without apt-get.
 */
export async function fetchDistributionPackage(
  folder: string,
  options: { signal: AbortSignal },
): Promise<string> {
  const lists = join(folder, 'lists');
  const cache = join(folder, 'cache');
  const config = join(folder, 'apt.conf');
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  await writeFile(config, aptConfig(lists, cache));

  const run = { ...options, cwd: folder, timeoutMs: STEP_TIMEOUT_MS };
  await runCommand('apt-get', ['-c', config, '-q', 'update'], run);
  await runCommand('apt-get', ['-c', config, '-q', 'download', 'etcd-server'], run);
  const archive = (await readdir(folder)).find((file) => file.endsWith('.deb'));
  if (archive === undefined) throw new Error('apt-get downloaded no etcd-server package');
  const unpacked = join(folder, 'unpacked');
  await runCommand('dpkg', ['-x', archive, unpacked], run);
  return join(unpacked, 'usr', 'bin', 'etcd');
}

/** A file and not `-o` options, since only a file can clear the hooks that the system's own settings add. */
function aptConfig(lists: string, cache: string): string {
  const isRoot = process.getuid?.() === 0;
  return [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear Acquire::IndexTargets::deb::DEP-11;',
    `Dir::State::Lists "${lists}";`,
    `Dir::Cache "${cache}";`,
    'Dir::Cache::archives "archives";',
    'Debug::NoLocking "1";',
    'Acquire::Languages "none";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "10";',
    'Acquire::https::Timeout "10";',
    // As root, apt would hand the download to the user _apt, who may not write into our folder.
    ...(isRoot ? ['APT::Sandbox::User "root";'] : []),
    '',
  ].join('\n');
}
