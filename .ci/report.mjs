// Reads the reports of the tests in JSON: the whole run, and the one in which what had failed was run again.

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [command, ...paths] = process.argv.slice(2);
const reports = paths.map((path) => JSON.parse(readFileSync(path, 'utf8')));

const print = (line) => process.stdout.write(`${line}\n`);

/** The names of the tests of a report that have failed, and of the files that could not be run. */
function failures({ testResults }) {
  return testResults.flatMap(({ name, status, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (status === 'failed' && failed.length === 0) return [relative('.', name)];
    return failed.map((test) => `${relative('.', name)}: ${test.fullName}`);
  });
}

if (command === 'failed-files') {
  const [{ testResults }] = reports;
  for (const { name, status } of testResults) if (status === 'failed') print(relative('.', name));
} else {
  // In the order of their names the second run comes first.
  const [last, first] = reports.length > 1 ? reports : [reports[0], reports[0]];
  const failed = failures(last);
  const unsteady = failures(first).filter((name) => !failed.includes(name));
  for (const name of unsteady) print(`unsteady: failed, and passed when run again: ${name}`);
  print(`${first.numPassedTests + unsteady.length} passed, ${failed.length} failed`);
}
