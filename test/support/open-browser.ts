import { createReadStream, createWriteStream } from 'node:fs';
import { access, chmod, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import { type Browser, chromium } from 'playwright-core';
import { TEST_CACHE } from './find-test-etcd.ts';
import { outputOf } from './run-program.ts';

/** A Chromium without a window, or why this machine has none that runs. */
export type TestBrowser =
  | { readonly kind: 'open'; readonly browser: Browser }
  | { readonly kind: 'missing'; readonly why: string };

/** A program to try, and where it finds libraries that the machine may lack. */
interface Candidate {
  readonly path: string;
  readonly libraries?: string;
}

/** It keeps to itself: nothing is looked up on the network. Root may not use the sandbox. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
];
const ON_PATH = ['chromium', 'chromium-browser', 'google-chrome'];
const LAUNCH_TIMEOUT_MS = 60_000;

/** Opens the Chromium of the package `@sparticuz/chromium`, unpacked once into the cache, else one on PATH. */
export async function openBrowser(): Promise<TestBrowser> {
  const failures: string[] = [];
  for (const find of [unpackChromium, ...ON_PATH.map((name) => () => findInPath(name))]) {
    try {
      const { path, libraries } = await find();
      const browser = await chromium.launch({
        executablePath: path,
        args: ARGUMENTS,
        timeout: LAUNCH_TIMEOUT_MS,
        env: { ...process.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) },
      });
      return { kind: 'open', browser };
    } catch (error) {
      failures.push(String(error).split('\n', 3).join(' '));
    }
  }
  return { kind: 'missing', why: `no Chromium runs here: ${failures.join('; ')}` };
}

async function unpackChromium(): Promise<Candidate> {
  const root = join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '../..');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const folder = join(TEST_CACHE, `chromium-${version}`);
  const unpacked = { path: join(folder, 'chromium'), libraries: join(folder, 'lib') };
  if (await exists(unpacked.path)) return unpacked;
  // Unpacked beside its place, so that the finished folder can be renamed there whole.
  const work = `${folder}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await decompress(join(root, 'bin/chromium.br'), join(work, 'chromium'));
    await chmod(join(work, 'chromium'), 0o755);
    await decompress(join(root, 'bin/al2023.tar.br'), join(work, 'lib.tar'));
    await outputOf('tar', ['-xf', join(work, 'lib.tar'), '-C', work]);
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return unpacked;
}

async function findInPath(name: string): Promise<Candidate> {
  return { path: (await outputOf('sh', ['-c', `command -v ${name}`])).trim() };
}

async function decompress(source: string, target: string): Promise<void> {
  await pipeline(createReadStream(source), createBrotliDecompress(), createWriteStream(target));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
