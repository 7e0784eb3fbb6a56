import { runProgram } from './run-program.ts';

/** A program that tests need and this project does not bring, or why this machine lacks it. */
export type TestProgram =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'missing'; readonly why: string };

/** Looks for a program on PATH; `versionFlag` makes it print something and end with 0. */
export async function findOnPath(name: string, versionFlag = '--version'): Promise<TestProgram> {
  try {
    const { exitCode, stderr } = await runProgram(name, [versionFlag]);
    return exitCode === 0
      ? { kind: 'found', path: name }
      : { kind: 'missing', why: `${name} on PATH does not run: ${stderr.trim()}` };
  } catch (error) {
    return { kind: 'missing', why: `there is no ${name} on PATH (${String(error)})` };
  }
}
