import { access, mkdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TEST_CACHE } from '../support/find-test-etcd.ts';
import { outputOf } from '../support/run-program.ts';
import { findOnPath } from '../support/test-program.ts';

/** A Spring Boot application with Spring Cloud Config's client, or why this machine lacks it. */
export type SpringClient =
  | { readonly kind: 'found'; readonly javaArguments: readonly string[] }
  | { readonly kind: 'missing'; readonly why: string };

const FIXTURE = fileURLToPath(new URL('fixture/spring-client', import.meta.url));
const RESOLVE_TIMEOUT_MS = 180_000;

/** Finds the libraries in Maven's repository, else has Maven fetch them, once, which takes about a minute. */
export async function findSpringClient(): Promise<SpringClient> {
  for (const name of ['java', 'mvn']) {
    const program = await findOnPath(name);
    if (program.kind === 'missing') return program;
  }
  const folder = join(TEST_CACHE, 'spring-client');
  const file = join(folder, 'classpath');
  try {
    if (!(await isWhole(file))) {
      await mkdir(folder, { recursive: true });
      const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${file}`];
      const flags = ['-q', '-B', '-f', join(FIXTURE, 'pom.xml')];
      await outputOf('mvn', [...flags, ...goal], { timeoutMs: RESOLVE_TIMEOUT_MS });
    }
    const classpath = (await readFile(file, 'utf8')).trim();
    return { kind: 'found', javaArguments: ['-cp', classpath, join(FIXTURE, 'PrintProperties.java')] };
  } catch (error) {
    return { kind: 'missing', why: `Spring's client cannot be had with Maven here: ${String(error)}` };
  }
}

/** Whether all that a file with a classpath names is there. */
async function isWhole(file: string): Promise<boolean> {
  try {
    const jars = (await readFile(file, 'utf8')).trim().split(delimiter);
    await Promise.all(jars.map((jar) => access(jar)));
    return true;
  } catch {
    // Maven has not been asked yet, or its repository was emptied since.
    return false;
  }
}
