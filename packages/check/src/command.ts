/** The command line. */
import { parseArgs } from 'node:util';
import type { Verdict } from './check.js';
import type { CheckFiles } from './files.js';

const USAGE = `Usage: npx @cert/check FILE... [--network FILE] [--json]

Check robustness certificates: derive every bound again, one verdict a file.

  --network FILE  network file to read (default: the one each certificate names)
  --json          print one JSON object for each file: file, holds, level,
                  property, reason, margins (default: text)
  --help          print this help

Exit status: 0 if all hold, 1 if one is refused, 2 for a wrong command line.`;

/** Where a command writes to. */
export interface Streams {
  /** A line of results. */
  readonly print: (line: string) => void;
  /** A line about the command line. */
  readonly complain: (line: string) => void;
  /** Text for a person who waits; undefined where nobody does. */
  readonly terminal: ((text: string) => void) | undefined;
  /** Characters of a line that results fit into; default any number. */
  readonly columns?: number | undefined;
}

function describe({ holds, level, property, reason, margins }: Verdict): string {
  return holds
    ? `holds  ${level}  ${property}  margin ${Math.min(...margins).toPrecision(3)}`
    : // Names in a damaged file may hold anything; one verdict is one line.
      `refused  ${reason?.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '?')}`;
}

/** Runs a command line; returns the exit status. */
export async function run(args: string[], check: CheckFiles, streams: Streams): Promise<number> {
  const { print, complain, terminal, columns = Number.POSITIVE_INFINITY } = streams;
  let parsed: { positionals: string[]; values: { network?: string; json?: boolean; help?: boolean } };
  try {
    const options = { network: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const;
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    complain(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  const { positionals: files, values } = parsed;
  if (values.help) print(USAGE);
  else if (files.length === 0) complain(USAGE);
  if (values.help || files.length === 0) return values.help ? 0 : 2;

  // Lines are printed in the order of the files, each as soon as all before it are there.
  const verdicts: Verdict[] = [];
  let [printed, done, refused] = [0, 0, 0];
  await check({ files, network: values.network }, (place, verdict) => {
    verdicts[place] = verdict;
    done++;
    if (!verdict.holds) refused++;
    terminal?.('\r\x1b[K');
    for (; verdicts[printed] !== undefined; printed++) {
      const [file, next] = [files[printed]!, verdicts[printed]!];
      const text = describe(next);
      const gap = text.length + 2 + file.length > columns ? '\n  ' : '  ';
      const line = files.length > 1 ? `${text}${gap}${file}` : text;
      print(values.json ? JSON.stringify({ file, ...next }) : line);
    }
    if (files.length > 1 && done < files.length) terminal?.(`${done} of ${files.length} checked, ${refused} refused`);
  });
  if (files.length > 1 && !values.json) print(`${done - refused} of ${files.length} certificates hold`);
  return done === files.length && refused === 0 ? 0 : 1;
}
