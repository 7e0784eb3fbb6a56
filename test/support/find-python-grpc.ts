import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEST_CACHE } from './find-test-etcd.ts';
import { outputOf, runProgram } from './run-program.ts';
import { findOnPath, type TestProgram } from './test-program.ts';

const PACKAGES = ['grpcio-tools>=1.66,<2', 'grpcio-status>=1.66,<2'];
const INSTALL_TIMEOUT_MS = 180_000;

/** Finds a Python with gRPC and its code generator in the cache, else installs them there with pip, once, in some 10 s. */
export async function findPythonGrpc(): Promise<TestProgram> {
  const folder = join(TEST_CACHE, 'python');
  const path = pythonIn(folder);
  if (await hasGrpc(path)) return { kind: 'found', path };
  const python = await findOnPath('python3');
  if (python.kind === 'missing') return python;
  // Made beside its place, so that the finished folder can be renamed there whole.
  const work = `${folder}.${process.pid}`;
  try {
    await outputOf(python.path, ['-m', 'venv', work], { timeoutMs: INSTALL_TIMEOUT_MS });
    const flags = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    await outputOf(pythonIn(work), [...flags, ...PACKAGES], { timeoutMs: INSTALL_TIMEOUT_MS });
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
    return { kind: 'found', path };
  } catch (error) {
    return { kind: 'missing', why: `gRPC for Python cannot be installed here: ${String(error)}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function pythonIn(folder: string): string {
  return join(folder, 'bin', 'python');
}

async function hasGrpc(python: string): Promise<boolean> {
  try {
    return (
      (await runProgram(python, ['-c', 'import grpc_tools.protoc, grpc_status.rpc_status'])).exitCode === 0
    );
  } catch {
    // There is no such Python yet.
    return false;
  }
}
