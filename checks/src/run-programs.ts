/**
 * Runs programs of one document in this process, one after the other, and writes what each printed as JSON: RESULTS PROGRAM...
 * Its own process, so that a program has Node.js to itself as a reader's has, and what it prints can be caught.
 */
import { writeFileSync } from 'node:fs';
import { format } from 'node:util';
import type { Documented, Outcome } from './outcome.js';

const [results = '', ...programs] = process.argv.slice(2);
const outcomes: Outcome[] = [];
for (const program of programs) {
  const printed: string[] = [];
  const documented: Documented[] = [];
  Object.assign(console, { log: (...values: unknown[]) => void printed.push(format(...values)) });
  Object.assign(globalThis, {
    documented: (line: number, comment: string) =>
      void documented.push({ line, comment, printed: printed.at(-1) ?? 'nothing' }),
  });
  const error = await import(program).then(
    () => null,
    (thrown: unknown) => (thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)),
  );
  outcomes.push({ printed, documented, error });
}
writeFileSync(results, JSON.stringify(outcomes));
