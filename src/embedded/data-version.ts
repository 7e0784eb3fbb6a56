import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The etcd that is to run cannot take over what another version wrote. */
export class DataVersionError extends Error {
  constructor(dataDir: string, written: string, version: string) {
    super(
      `the data in ${dataDir} is from etcd ${written}, which etcd ${version} cannot take over: etcd goes up one minor ` +
        `version at a time, and never down; set CONCORD_ETCD_BINARY to an etcd ${minorWord(written)}, or choose ` +
        'another data directory',
    );
    this.name = 'DataVersionError';
  }
}

/**
 * Refuses a version that would not start on this data, or worse, would: etcd 3.6 ends with a stack trace on data of
 * 3.4, and 3.4 starts on data of 3.7 (tried). The rule is etcd's own, from its upgrade guides.
 *
 * @throws {@link DataVersionError}
 */
export async function checkDataVersion(dataDir: string, version: string): Promise<void> {
  const written = await readDataVersion(dataDir);
  if (written === undefined) return;
  const [from, to] = [minorOf(written), minorOf(version)];
  if (from === undefined || to === undefined) return;
  if (to !== from && to !== from + 1) throw new DataVersionError(dataDir, written, version);
}

/** Notes in `<dataDir>/etcd.version` which etcd serves this data now. */
export async function recordDataVersion(dataDir: string, version: string): Promise<void> {
  const file = fileIn(dataDir);
  await writeFile(`${file}.new`, `${version}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Undefined for a directory that is new. */
async function readDataVersion(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(fileIn(dataDir), 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function fileIn(dataDir: string): string {
  return join(dataDir, 'etcd.version');
}

/** All versions that are run are 3.x. */
function minorOf(version: string): number | undefined {
  const minor = /^3\.(\d+)/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

function minorWord(version: string): string {
  const minor = minorOf(version) ?? 0;
  return `3.${minor} or 3.${minor + 1}`;
}
