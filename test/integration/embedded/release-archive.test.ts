import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findEtcd } from '../../../src/embedded/find-etcd.ts';
import type { ReleaseArchiveOptions } from '../../../src/embedded/release-archive.ts';
import { openTempDir } from '../../support/open-temp-dir.ts';
import { createRecordingLog } from '../../support/recording-log.ts';
import { packRelease, startReleaseServer } from './release-server.ts';

const VERSION = '3.6.14';
const signal = AbortSignal.timeout(60_000);

/** Looks for an etcd on a machine that has none, with nothing to fetch but the release archive. */
function fetchRelease(cacheDir: string, release: ReleaseArchiveOptions): ReturnType<typeof findEtcd> {
  const options = { cacheDir, searchPath: '/nowhere', distributionPackage: false, log: createRecordingLog() };
  return findEtcd({ ...options, release: { version: VERSION, platform: 'linux', ...release } }, { signal });
}

/** What is said of the release archive when it is asked of such a server. */
async function failureWith(listener: RequestListener, release: ReleaseArchiveOptions = {}): Promise<string> {
  await using temp = await openTempDir();
  await using server = await startReleaseServer(listener);
  const { checksums } = await packRelease(temp.path, VERSION);
  const cacheDir = join(temp.path, 'cache');
  const failed = fetchRelease(cacheDir, { baseUrl: server.baseUrl, checksums, ...release });
  const error: unknown = await failed.catch((reason: unknown) => reason);
  expect(await readdir(cacheDir)).toEqual([]);
  const message = error instanceof Error ? error.message : '';
  return message.split('\n').find((line) => line.includes('release archive')) ?? message;
}

describe('the release archive', () => {
  it('is unpacked into the cache when its sum is right, and found there the next time', async () => {
    await using temp = await openTempDir();
    const cacheDir = join(temp.path, 'cache');
    const { archive, checksums } = await packRelease(temp.path, VERSION);
    const paths: (string | undefined)[] = [];
    await using server = await startReleaseServer((request, response) => {
      paths.push(request.url);
      response.end(archive);
    });
    const release = { baseUrl: server.baseUrl, checksums };

    const found = await fetchRelease(cacheDir, release);
    expect(found).toEqual({
      path: join(cacheDir, `etcd-${VERSION}`, 'etcd'),
      version: VERSION,
      source: 'archive',
    });
    expect(await fetchRelease(cacheDir, release)).toEqual({ ...found, source: 'cache' });
    expect(paths).toHaveLength(1);
    expect(paths[0]).toMatch(/^\/download\/v3\.6\.14\/etcd-v3\.6\.14-linux-\w+\.tar\.gz$/);
    expect(await readdir(cacheDir)).toEqual([`etcd-${VERSION}`]);
  });

  it('is not run and not kept when its sum differs; both sums are named', async () => {
    await using temp = await openTempDir();
    const cacheDir = join(temp.path, 'cache');
    const marker = join(temp.path, 'was-run');
    const { archive, sum, checksums } = await packRelease(temp.path, VERSION, `touch '${marker}'`);
    await using server = await startReleaseServer((_, response) => response.end(archive));
    const expected = '0'.repeat(64);
    const others = Object.fromEntries(Object.keys(checksums).map((key) => [key, expected]));

    const failed = fetchRelease(cacheDir, { baseUrl: server.baseUrl, checksums: others });
    await expect(failed).rejects.toThrow(`has sha256 ${sum}, but ${expected} is expected`);
    expect(existsSync(marker)).toBe(false);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  it('may be fetched by several at once', async () => {
    await using temp = await openTempDir();
    const cacheDir = join(temp.path, 'cache');
    const { archive, checksums } = await packRelease(temp.path, VERSION);
    await using server = await startReleaseServer((_, response) => response.end(archive));
    const release = { baseUrl: server.baseUrl, checksums };

    const found = await Promise.all(Array.from({ length: 4 }, () => fetchRelease(cacheDir, release)));
    expect(new Set(found.map(({ path }) => path)).size).toBe(1);
    expect(await readdir(cacheDir)).toEqual([`etcd-${VERSION}`]);
  });

  it('is given up when the server does not answer', async () => {
    const failure = await failureWith(() => {}, { connectTimeoutMs: 100 });
    expect(failure).toContain('did not answer within 100 ms');
  });

  it('is given up when the server stalls in the middle', async () => {
    const listener: RequestListener = (_, response) => {
      response.write('the beginning');
    };
    const failure = await failureWith(listener, { totalTimeoutMs: 300 });
    expect(failure).toContain('took longer than 300 ms');
  });

  it('is given up when the server does not have it', async () => {
    const failure = await failureWith((_, response) => response.writeHead(404).end());
    expect(failure).toMatch(/release archive: 127\.0\.0\.1:\d+ answered 404/);
  });

  it('is given up when it is too large', async () => {
    const failure = await failureWith((_, response) => response.end('x'.repeat(1000)), { maxBytes: 999 });
    expect(failure).toContain('larger than 999 bytes');
  });

  it('is given up when nothing listens there', async () => {
    const { port } = await startReleaseServer(() => {}).then(async (server) => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    const failure = await failureWith(() => {}, { baseUrl: `http://127.0.0.1:${port}` });
    expect(failure).toContain(`release archive: could not reach 127.0.0.1:${port}: connect ECONNREFUSED`);
  });

  it('is given up when it is redirected to something that is not https', async () => {
    const listener: RequestListener = (_, response) => {
      response.writeHead(302, { location: 'ftp://127.0.0.1/etcd.tar.gz' }).end();
    };
    expect(await failureWith(listener)).toContain('redirects to ftp://127.0.0.1, which is not https');
  });

  it('is given up when it is redirected without end', async () => {
    const listener: RequestListener = (request, response) => {
      response.writeHead(302, { location: `${request.url}x` }).end();
    };
    expect(await failureWith(listener)).toContain('redirects more than 5 times');
  });

  it('is not asked for where no checksum is known', async () => {
    const failure = await failureWith((_, response) => response.end(), { platform: 'darwin' });
    expect(failure).toMatch(/no checksum of etcd 3\.6\.14 for darwin-\w+ is known/);
  });

  it('leaves nothing when the search is aborted', async () => {
    await using temp = await openTempDir();
    const { checksums } = await packRelease(temp.path, VERSION);
    const abort = new AbortController();
    const reason = new Error('enough');
    await using server = await startReleaseServer(() => abort.abort(reason));
    const cacheDir = join(temp.path, 'cache');
    const search = findEtcd(
      {
        cacheDir,
        searchPath: '/nowhere',
        release: { baseUrl: server.baseUrl, checksums, version: VERSION, platform: 'linux' },
        log: createRecordingLog(),
      },
      { signal: abort.signal },
    );
    await expect(search).rejects.toBe(reason);
    expect(await readdir(cacheDir)).toEqual([]);
  });
});
