import { basename } from 'node:path';
import { CertError } from '@cert/core';
import { epochErrorsOf, readMetricsLines } from '@cert/trainer/pipeline';
import { clopperPearson, type Proportion } from '@cert/verify';
import { calledAs } from '../called-as.js';
import type { TrainingCurve } from '../plots/training-curves.js';
import { findRuns, type RunRecord, type RunSettings, readRun } from './read-run.js';

/** A run that has a configuration. */
export interface ComparedRun extends RunRecord {
  readonly config: RunSettings;
}

/** What differs between runs, and what came out of each. Plain data. */
export interface Comparison {
  readonly runs: readonly {
    readonly name: string;
    readonly folder: string;
    readonly state: RunRecord['state'];
    readonly epoch: number;
    readonly trainSeconds: number | null;
    /** Errors with exact 95 % intervals; the interval is null before the run has finished, the error where it is not known. */
    readonly errors: { readonly [name in ErrorName]: Estimate | null };
    /** For a regression: means of absolute errors, in the units of the label; missing for a classification. */
    readonly absoluteErrors?: Pick<RunRecord['errors'], 'absoluteError' | 'verifiedAbsoluteError'>;
  }[];
  /** For each setting that differs, its value in each run; null where a run has no such setting. */
  readonly settings: { readonly [name: string]: readonly unknown[] };
}

type ErrorName = 'standardError' | 'pgdError' | 'verifiedError';

/** A fraction of the test images, and where the true one is. */
interface Estimate extends Pick<Proportion, 'fraction'> {
  readonly interval: readonly [number, number] | null;
}

/**
 * The runs that paths lead to: folders of runs, or folders that contain runs.
 *
 * @param note told of runs that are left out
 * @throws CertError `bad-file` for a path that is no run and holds none, and for a damaged run that was named
 */
export async function runsAt(paths: readonly string[], note: (text: string) => void): Promise<readonly ComparedRun[]> {
  const runs: RunRecord[] = [];
  for (const path of paths) {
    const found = await findRuns(path);
    if (found.length === 0) {
      throw new CertError('bad-file', `${path} contains no run.`, 'Give folders of runs. List runs with: cert runs');
    }
    const named = found.length === 1 && found[0]!.folder === path;
    for (const run of found) {
      if (run.state !== 'damaged') runs.push(run);
      else if (named) throw await damagedRun(path);
      else note(`${run.folder} is damaged and was skipped: ${run.problem}`);
    }
  }
  return named(runs.filter(({ folder }, i) => runs.findIndex((other) => other.folder === folder) === i));
}

/** The same, to compare. @throws CertError as {@link runsAt}; `bad-argument` for fewer than two */
export async function chosenRuns(
  paths: readonly string[],
  note: (text: string) => void,
): Promise<readonly ComparedRun[]> {
  const runs = await runsAt(paths, note);
  if (runs.length >= 2) return runs;
  throw new CertError(
    'bad-argument',
    `${runs.length === 0 ? 'No run' : 'Only one run'} was given to compare.`,
    `Give at least two runs: ${calledAs()} compare runs/a runs/b.`,
  );
}

const damagedRun = async (path: string) => {
  const { problem } = await readRun(path);
  return new CertError('bad-file', `${path} is damaged: ${problem}`, 'Restore the file, or leave the run out.');
};

/** With the names of folders where these differ, and whole paths otherwise. */
function named(runs: readonly RunRecord[]): readonly ComparedRun[] {
  const names = runs.map(({ folder }) => basename(folder));
  return runs.flatMap((run, i) => {
    const { config, folder } = run;
    const unique = names.filter((name) => name === names[i]).length === 1;
    return config === null ? [] : [{ ...run, config, name: unique ? names[i]! : folder }];
  });
}

/** Compares runs. */
export function compareRuns(runs: readonly ComparedRun[]): Comparison {
  const names = [...new Set(runs.flatMap(({ config }) => Object.keys(config)))];
  const differing = names.filter((name) => new Set(runs.map(({ config }) => JSON.stringify(config[name]))).size > 1);
  return {
    runs: runs.map(({ name, folder, state, epoch, trainSeconds, errors }) => {
      const { images, standardError, pgdError, verifiedError, absoluteError, verifiedAbsoluteError } = errors;
      const estimate = (fraction: number | null): Estimate | null => {
        if (fraction === null) return null;
        const interval = images === null ? null : clopperPearson(Math.round(fraction * images), images);
        return { fraction, interval };
      };
      return {
        ...{ name, folder, state, epoch, trainSeconds },
        errors: {
          standardError: estimate(standardError),
          pgdError: estimate(pgdError),
          verifiedError: estimate(verifiedError),
        },
        ...(absoluteError !== null && { absoluteErrors: { absoluteError, verifiedAbsoluteError } }),
      };
    }),
    settings: Object.fromEntries(differing.map((name) => [name, runs.map(({ config }) => config[name] ?? null)])),
  };
}

/**
 * The training curve of a run.
 *
 * @returns it, and how many lines of its metrics are damaged and left out
 */
export async function curveOf({
  folder,
  name,
}: ComparedRun): Promise<{ readonly curve: TrainingCurve; readonly damaged: number }> {
  const { lines, damaged } = await readMetricsLines(folder);
  const number = (value: unknown) => (typeof value === 'number' ? value : null);
  const ends = lines.filter(({ type }) => type === 'epoch');
  const epochs = ends.map((line) => ({
    epoch: Number(line.epoch),
    loss: number(line.loss),
    verifiedError: epochErrorsOf(line)?.verifiedError ?? null,
  }));
  const monitored = ends.map(epochErrorsOf).find((found) => found !== undefined)?.monitored;
  return { curve: { name, epochs, ...(monitored && { monitored }) }, damaged };
}
