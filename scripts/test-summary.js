/**
 * Adds up the reports that the test runner left in every workspace, and those of other commands, `.reports/NAME.json` for every NAME that
 * is given, and prints `N passed, N failed`, and the skipped tests by name.
 * A workspace that has tests to run but left no report counts as a failure; a command that left none has said why.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const folders = read('package.json').workspaces.flatMap((pattern) => {
  if (!pattern.endsWith('/*')) return [pattern];
  const parent = pattern.slice(0, -2);
  return readdirSync(parent).map((name) => join(parent, name));
});

let [passed, failed, skipped] = [0, 0, 0];

function add(folder, file) {
  const report = read(file);
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  for (const { assertionResults, status: suite, message, name } of report.testResults) {
    // A file that does not load has no test that failed.
    if (suite === 'failed' && assertionResults.length === 0) {
      failed++;
      console.log(`${folder}: failed: ${name}: ${message}`);
    }
    for (const { status, fullName } of assertionResults) {
      if (status !== 'passed') console.log(`${folder}: ${status}: ${fullName}`);
    }
  }
}

for (const folder of folders) {
  const manifest = join(folder, 'package.json');
  if (!existsSync(manifest) || read(manifest).scripts?.test === undefined) continue;
  const file = join(folder, '.reports', 'vitest.json');
  if (!existsSync(file)) {
    console.log(`${folder}: no test report`);
    failed++;
    continue;
  }
  add(folder, file);
}
for (const name of process.argv.slice(2)) {
  const file = join('.reports', `${name}.json`);
  if (existsSync(file)) add(name, file);
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
if (failed > 0 || passed === 0) process.exitCode = 1;
