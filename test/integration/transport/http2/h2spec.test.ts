import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findGoProgram } from '../../../support/find-go-program.ts';
import { openTempDir } from '../../../support/open-temp-dir.ts';
import { runProgram } from '../../../support/run-program.ts';
import { startToy } from '../toy-server.ts';

const h2spec = await findGoProgram('h2spec', 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible');
/** What it fails after which nothing has come, in seconds: long, since machines may be slow. */
const CASE_TIMEOUT_S = 20;
const TIMEOUT_MS = 280_000;
/** It brings no "PRI", and so is taken for HTTP/1.1 on a port that has both, and closed as such. */
const EXPECTED_FAILURES = ['http2/3.5: Sends invalid connection preface'];
const MIN_CASES = 140;

describe('h2spec', () => {
  if (h2spec.kind === 'missing') {
    it(`is not run here: ${h2spec.why}`, () => expect(h2spec.why).not.toBe(''));
    return;
  }
  const { path } = h2spec;

  it('finds nothing that RFC 9113 or RFC 7541 does not allow', { timeout: TIMEOUT_MS + 10_000 }, async () => {
    await using toy = await startToy();
    await using folder = await openTempDir();
    const report = join(folder.path, 'report.xml');
    const address = ['-h', '127.0.0.1', '-p', String(toy.port)];
    const args = ['--strict', ...address, '-o', String(CASE_TIMEOUT_S), '-j', report];
    const { stdout } = await runProgram(path, args, { timeoutMs: TIMEOUT_MS });
    const cases = casesOf(await readFile(report, 'utf8'));
    expect(cases.length, stdout).toBeGreaterThan(MIN_CASES);
    const failures = cases.filter(({ isPassed }) => !isPassed).map(({ name }) => name);
    expect(failures, stdout).toEqual(EXPECTED_FAILURES);
  });
});

/** Reads the cases of a report as JUnit has it. */
function casesOf(report: string): readonly { readonly name: string; readonly isPassed: boolean }[] {
  return [...report.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)].map(
    ([, section, title, outcome = '']) => ({
      name: `${section}: ${title}`,
      isPassed: !/<(failure|error|skipped)/.test(outcome),
    }),
  );
}
