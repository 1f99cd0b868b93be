/** Plans of trainings and the results that `npm run recipe` has written beside them. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

/** A plan: options of `cert train` for every run, and what each run adds. */
export interface Plan {
  /** What figures call it. */
  readonly title?: string;
  readonly options: readonly string[];
  readonly seeds: readonly number[];
  /** A name is a method, or a method and a setting with a space between. */
  readonly runs: readonly Run[];
  /** Options of `cert eval` after each training; none without them. */
  readonly eval?: readonly string[];
}

export interface Run {
  readonly name: string;
  readonly options: readonly string[];
}

/** A line of the results. Errors are fractions of the test images. */
export interface Result {
  readonly run: string;
  readonly seed: number;
  /** All options of its training. */
  readonly options: readonly string[];
  readonly standardError: number;
  readonly pgdError: number | null;
  readonly verifiedError: number;
  readonly trainSeconds: number;
  /** What `cert eval` found, with the options of the plan. */
  readonly evaluated?: {
    readonly images: number;
    /** By the attack of the evaluation. */
    readonly pgdError: Share | null;
    /** Each with those before it. */
    readonly methods: { readonly [method: string]: { readonly verifiedError: Share } };
  };
}

interface Share {
  readonly fraction: number;
}

/** Verified error by all methods of the evaluation, or by interval bounds where there was none. */
export const verifiedErrorOf = ({ verifiedError, evaluated }: Result): number =>
  Object.values(evaluated?.methods ?? {}).at(-1)?.verifiedError.fraction ?? verifiedError;

export const readPlan = async (path: string): Promise<Plan> => JSON.parse(await readFile(resolve(path), 'utf8'));

/** The file with a plan's results: a line for each. */
export const resultsOf = (path: string): string => resolve(path).replace(/\.json$/, '.results.jsonl');

/** The results of the runs that the plan has now, in order of the runs and seeds. */
export async function readResults(path: string, plan: Plan): Promise<readonly Result[]> {
  const file = resultsOf(path);
  const lines = existsSync(file) ? (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '') : [];
  const results = lines.map((line) => JSON.parse(line) as Result);
  return plan.runs.flatMap((run) =>
    results
      .filter((result) => result.run === run.name && `${result.options}` === `${optionsOf(plan, run)}`)
      .sort((a, b) => a.seed - b.seed),
  );
}

/** The options of `cert train` for a run, besides its seed. */
export const optionsOf = (plan: Plan, run: Run): readonly string[] => [...plan.options, ...run.options];
