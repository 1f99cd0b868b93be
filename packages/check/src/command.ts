/** The command line. */
import { parseArgs } from 'node:util';
import type { Verdict } from './check.js';
import type { CheckFiles } from './files.js';
import { reasonOf } from './refused.js';

const USAGE = `Usage: npx @cert/check FILE... [--network FILE] [--json]

Check robustness certificates: derive every bound again, one verdict a file.

  --network FILE  network file to read (default: the one each certificate names)
  --json          print one JSON object for each file: file, holds, level,
                  property, reason, margins (default: text)
  --help          print this help

Exit status: 0 if all hold, 1 if one is refused, 2 for a wrong command line.`;

const OPTIONS = { network: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const;

/** Where a command writes to: results, and to the other what a person needs to know, such as progress in a terminal. */
export interface Streams {
  readonly stdout: Pick<NodeJS.WriteStream, 'write' | 'columns'>;
  readonly stderr: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;
}

/** Names of files, and names in a damaged file, may hold anything; one verdict is one line. */
const oneLine = (text: string): string => text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');

const describe = ({ holds, level, property, reason, margins }: Verdict): string =>
  holds ? `holds  ${level}  ${property}  margin ${Math.min(...margins).toPrecision(3)}` : `refused  ${reason}`;

/** Runs a command line; returns the exit status. */
export async function run(args: string[], check: CheckFiles, { stdout, stderr }: Streams): Promise<number> {
  const print = (line: string) => stdout.write(`${line}\n`);
  const parse = () => parseArgs({ args, options: OPTIONS, allowPositionals: true });
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse();
  } catch (error) {
    stderr.write(`${reasonOf(error)}\n\n${USAGE}\n`);
    return 2;
  }
  const { positionals: files, values } = parsed;
  if (values.help || files.length === 0) {
    (values.help ? stdout : stderr).write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }

  // Lines are printed in the order of the files, each as soon as all before it are there.
  const verdicts: Verdict[] = [];
  let [printed, done, refused] = [0, 0, 0];
  await check(files, values.network, (place, verdict) => {
    verdicts[place] = verdict;
    done++;
    if (!verdict.holds) refused++;
    if (stderr.isTTY) stderr.write('\r\x1b[K');
    for (; verdicts[printed] !== undefined; printed++) {
      const [file, next] = [files[printed]!, verdicts[printed]!];
      const [text, name] = [oneLine(describe(next)), oneLine(file)];
      const gap = text.length + 2 + name.length > (stdout.columns ?? Number.POSITIVE_INFINITY) ? '\n  ' : '  ';
      const line = files.length > 1 ? `${text}${gap}${name}` : text;
      print(values.json ? JSON.stringify({ file, ...next }) : line);
    }
    if (stderr.isTTY && done < files.length) stderr.write(`${done} of ${files.length} checked, ${refused} refused`);
  });
  if (files.length > 1 && !values.json) print(`${done - refused} of ${files.length} certificates hold`);
  return done === files.length && refused === 0 ? 0 : 1;
}
