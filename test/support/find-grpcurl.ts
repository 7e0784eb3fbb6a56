import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEST_CACHE } from './find-test-etcd.ts';
import { outputOf } from './run-program.ts';
import { findOnPath, type TestProgram } from './test-program.ts';

const MODULE = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@latest';
const BUILD_TIMEOUT_MS = 300_000;

/** Finds grpcurl on PATH, else in the cache, else builds it there with Go, once, which takes about a minute. */
export async function findGrpcurl(): Promise<TestProgram> {
  const folder = join(TEST_CACHE, 'grpcurl');
  const built = join(folder, 'grpcurl');
  for (const name of ['grpcurl', built]) {
    const program = await findOnPath(name);
    if (program.kind === 'found') return program;
  }
  const go = await findOnPath('go', 'version');
  if (go.kind === 'missing') return { kind: 'missing', why: `there is no grpcurl on PATH, and ${go.why}` };
  // Built beside its place, so that the finished file can be renamed there whole.
  const work = `${folder}.${process.pid}`;
  try {
    await outputOf('go', ['install', MODULE], { env: { GOBIN: work }, timeoutMs: BUILD_TIMEOUT_MS });
    await mkdir(folder, { recursive: true });
    await rename(join(work, 'grpcurl'), built);
    return { kind: 'found', path: built };
  } catch (error) {
    return { kind: 'missing', why: `grpcurl cannot be built with Go here: ${String(error)}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
