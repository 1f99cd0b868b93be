/**
 * Runs the trainings of a recipe that have no result yet, one after another, and adds a line for each to `NAME.results.jsonl` beside the
 * plan: `npm run recipe -- recipes/certified-training/mnist.json [--data FOLDER] [--table]`. Interrupted, it resumes the training that it was at.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** A plan: options of `cert train` for every run, and what each run adds. */
interface Plan {
  readonly options: readonly string[];
  readonly seeds: readonly number[];
  readonly runs: readonly { readonly name: string; readonly options: readonly string[] }[];
  /** Options of `cert eval` after each training; none without them. */
  readonly eval?: readonly string[];
}

/** A line of the results. Errors are fractions of the test images. */
interface Result {
  readonly run: string;
  readonly seed: number;
  /** All options of its training. */
  readonly options: readonly string[];
  readonly standardError: number;
  readonly pgdError: number | null;
  readonly verifiedError: number;
  readonly trainSeconds: number;
  /** What `cert eval` found, with the options of the plan. */
  readonly evaluated?: { readonly [name: string]: unknown };
}

const { positionals, values: flags } = parseArgs({
  allowPositionals: true,
  // The folder with the dataset's files; it is no part of what a run is. And: only print the table.
  options: { data: { type: 'string' }, table: { type: 'boolean', default: false } },
});
const [planPath] = positionals;
if (planPath === undefined || positionals.length > 1) {
  console.error('Usage: npm run recipe -- PLAN.json [--data FOLDER] [--table]');
  process.exit(2);
}
const name = basename(planPath, '.json');
const path = resolve(planPath);
const resultsPath = path.replace(/\.json$/, '.results.jsonl');
const plan = JSON.parse(await readFile(path, 'utf8')) as Plan;

const readResults = async (): Promise<Result[]> =>
  existsSync(resultsPath)
    ? (await readFile(resultsPath, 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Result)
    : [];

/** The options of `cert train` for a run, besides its seed. */
const optionsOf = (run: Plan['runs'][number]) => [...plan.options, ...run.options];

/** Whether a result is one of a run as the plan has it now. */
const isOf = (result: Result, run: Plan['runs'][number]) =>
  result.run === run.name && JSON.stringify(result.options) === JSON.stringify(optionsOf(run));

/** Runs `cert` from source and returns what it prints. */
function cert(args: readonly string[]): Promise<string> {
  const command = resolve(import.meta.dirname, '../packages/cli/bin/cert.js');
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', failed);
    child.on('close', (code) =>
      code === 0 ? done(text) : failed(new Error(`cert ${args.join(' ')} ended with status ${code}.`)),
    );
  });
}

async function train(run: Plan['runs'][number], seed: number): Promise<Result> {
  const folder = join('runs', 'recipes', name, `${run.name}-${seed}`);
  const summary = join(folder, 'summary.json');
  if (existsSync(join(folder, 'config.json')) && !existsSync(summary)) await cert(['train', '--resume', folder]);
  else if (!existsSync(summary)) {
    const data = flags.data === undefined ? [] : ['--data', flags.data];
    await cert(['train', ...optionsOf(run), ...data, '--seed', String(seed), '--out', folder]);
  }
  const { standardError, pgdError, verifiedError, trainSeconds } = JSON.parse(await readFile(summary, 'utf8'));
  const result = { run: run.name, seed, options: optionsOf(run), standardError, pgdError, verifiedError, trainSeconds };
  if (plan.eval === undefined) return result;
  const printed = await cert(['eval', folder, ...plan.eval, '--json', '--quiet']);
  return { ...result, evaluated: JSON.parse(printed.trim().split('\n').at(-1) ?? '') };
}

/** Mean and standard deviation (n - 1) in percent. */
function spread(values: readonly number[]): string {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1));
  const percent = (x: number) => (100 * x).toFixed(2);
  return values.length === 1 ? percent(mean) : `${percent(mean)} ± ${percent(deviation)}`;
}

function table(results: readonly Result[]): string {
  const rows = plan.runs.map((one) => {
    const { name: run, options } = one;
    const own = results.filter((result) => isOf(result, one)).sort((a, b) => a.seed - b.seed);
    if (own.length === 0) return `| ${run} | \`${options.join(' ')}\` | 0 | | | | |`;
    const pgd = own.flatMap(({ pgdError }) => (pgdError === null ? [] : [pgdError]));
    const seconds = own.map(({ trainSeconds }) => Math.round(trainSeconds));
    const cells = [
      spread(own.map(({ standardError }) => standardError)),
      pgd.length === 0 ? '' : spread(pgd),
      spread(own.map(({ verifiedError }) => verifiedError)),
      own.map(({ verifiedError }) => (100 * verifiedError).toFixed(2)).join(', '),
      `${Math.min(...seconds)} to ${Math.max(...seconds)}`,
    ];
    return `| ${run} | \`${options.join(' ')}\` | ${own.length} | ${cells.join(' | ')} |`;
  });
  const head = [
    'run',
    'options',
    'seeds',
    'standard error (%)',
    'PGD error (%)',
    'verified error, IBP (%)',
    'by seed (%)',
    'seconds',
  ];
  return [`| ${head.join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`, ...rows].join('\n');
}

if (!flags.table) {
  for (const seed of plan.seeds) {
    for (const run of plan.runs) {
      const done = await readResults();
      if (done.some((result) => isOf(result, run) && result.seed === seed)) continue;
      console.log(`${new Date().toISOString()} ${run.name}, seed ${seed}`);
      const result = await train(run, seed);
      await appendFile(resultsPath, `${JSON.stringify(result)}\n`);
      console.log(JSON.stringify(result));
    }
  }
}
console.log(table(await readResults()));
