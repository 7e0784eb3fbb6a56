import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { processorName } from '../../../src/embedded/etcd-binary.ts';
import { runCommand } from '../../../src/embedded/run-command.ts';

/** A local stand-in for the release page. */
export interface ReleaseServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly port: number;
}

/** Serves with the given listener on a free port. */
export async function startReleaseServer(listener: RequestListener): Promise<ReleaseServer> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return {
    baseUrl: `http://127.0.0.1:${address.port}/download`,
    port: address.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes a program that answers `--version` as etcd does. */
export async function writeFakeEtcd(path: string, version: string, more = ''): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${more}\necho "etcd Version: ${version}"\n`);
  await chmod(path, 0o755);
}

/** A release archive with a fake etcd in it, and the table with its sum. */
export async function packRelease(
  folder: string,
  version: string,
  more = '',
): Promise<{ readonly archive: Buffer; readonly sum: string; readonly checksums: Record<string, string> }> {
  const system = `linux-${processorName()}`;
  const name = `etcd-v${version}-${system}`;
  await mkdir(join(folder, name), { recursive: true });
  await writeFakeEtcd(join(folder, name, 'etcd'), version, more);
  await runCommand('tar', ['-czf', 'release.tar.gz', name], {
    cwd: folder,
    signal: AbortSignal.timeout(30_000),
  });
  const archive = await readFile(join(folder, 'release.tar.gz'));
  const sum = createHash('sha256').update(archive).digest('hex');
  return { archive, sum, checksums: { [`${version}/${system}`]: sum } };
}
