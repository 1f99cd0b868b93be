/**
 * Runs the trainings of a recipe that have no result yet, one after another, and adds a line for each to `NAME.results.jsonl` beside the
 * plan: `npm run recipe -- recipes/certified-training/mnist.json [--data FOLDER] [--table]`. Interrupted, it resumes the training that it was at.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { optionsOf, type Result, type Run, readPlan, readResults, resultsOf, verifiedErrorOf } from './recipe-plan.js';

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
const plan = await readPlan(planPath);

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

async function train(run: Run, seed: number): Promise<Result> {
  const folder = join('runs', 'recipes', name, `${run.name}-${seed}`);
  const summary = join(folder, 'summary.json');
  if (existsSync(join(folder, 'config.json')) && !existsSync(summary)) await cert(['train', '--resume', folder]);
  else if (!existsSync(summary)) {
    const data = flags.data === undefined ? [] : ['--data', flags.data];
    await cert(['train', ...optionsOf(plan, run), ...data, '--seed', String(seed), '--out', folder]);
  }
  const { standardError, pgdError, verifiedError, trainSeconds } = JSON.parse(await readFile(summary, 'utf8'));
  const result = {
    run: run.name,
    seed,
    options: optionsOf(plan, run),
    standardError,
    pgdError,
    verifiedError,
    trainSeconds,
  };
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

/** What is told of the runs: mean and standard deviation over the seeds. Errors of the evaluation are of its images. */
const COLUMNS: { readonly [title: string]: (result: Result) => number | null | undefined } = {
  'standard error (%)': ({ standardError }) => standardError,
  'PGD error (%)': ({ pgdError }) => pgdError,
  'verified error, IBP (%)': ({ verifiedError }) => verifiedError,
  'evaluation: attack (%)': ({ evaluated }) => evaluated?.pgdError?.fraction,
  'verified error (%)': (result) => result.evaluated && verifiedErrorOf(result),
};

function table(results: readonly Result[]): string {
  const rows = plan.runs.map(({ name: run, options }) => {
    const own = results.filter((result) => result.run === run);
    const cells = Object.values(COLUMNS).map((column) => {
      const values = own.map(column).filter((value) => typeof value === 'number');
      return values.length === 0 ? '' : spread(values);
    });
    const bySeed = own.map((result) => (100 * verifiedErrorOf(result)).toFixed(2)).join(', ');
    const seconds = own.map(({ trainSeconds }) => Math.round(trainSeconds));
    const time = own.length === 0 ? '' : `${Math.min(...seconds)} to ${Math.max(...seconds)}`;
    return `| ${[run, `\`${options.join(' ')}\``, own.length, ...cells, bySeed, time].join(' | ')} |`;
  });
  const head = ['run', 'options', 'seeds', ...Object.keys(COLUMNS), 'by seed (%)', 'seconds'];
  return [`| ${head.join(' | ')} |`, `|${head.map(() => ' --- |').join('')}`, ...rows].join('\n');
}

if (!flags.table) {
  for (const seed of plan.seeds) {
    for (const run of plan.runs) {
      const done = await readResults(planPath, plan);
      if (done.some((result) => result.run === run.name && result.seed === seed)) continue;
      console.log(`${new Date().toISOString()} ${run.name}, seed ${seed}`);
      const result = await train(run, seed);
      await appendFile(resultsOf(planPath), `${JSON.stringify(result)}\n`);
      console.log(JSON.stringify(result));
    }
  }
}
console.log(table(await readResults(planPath, plan)));
