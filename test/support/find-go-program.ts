import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEST_CACHE } from './find-test-etcd.ts';
import { outputOf } from './run-program.ts';
import { findOnPath, type TestProgram } from './test-program.ts';

const BUILD_TIMEOUT_MS = 300_000;

/**
 * Finds a program on PATH, else in the cache, else builds it there with Go, once, which takes about a minute.
 *
 * @param module the path of its main package, with a version.
 */
export async function findGoProgram(program: string, module: string): Promise<TestProgram> {
  const folder = join(TEST_CACHE, program);
  const built = join(folder, program);
  for (const name of [program, built]) {
    const found = await findOnPath(name);
    if (found.kind === 'found') return found;
  }
  const go = await findOnPath('go', 'version');
  if (go.kind === 'missing') return { kind: 'missing', why: `there is no ${program} on PATH, and ${go.why}` };
  // Built beside its place, so that the finished file can be renamed there whole.
  const work = `${folder}.${process.pid}`;
  try {
    await outputOf('go', ['install', module], { env: { GOBIN: work }, timeoutMs: BUILD_TIMEOUT_MS });
    await mkdir(folder, { recursive: true });
    await rename(join(work, program), built);
    return { kind: 'found', path: built };
  } catch (error) {
    return { kind: 'missing', why: `${program} cannot be built with Go here: ${String(error)}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
