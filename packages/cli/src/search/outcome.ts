import { writeFileAtomic } from '@cert/models/node';
import { percent, type RunConfig } from '@cert/trainer/pipeline';
import type { Values } from '../commands/config-file.js';
import { paretoFrontFigure } from '../plots/pareto-front.js';
import { renderSvg } from '../plots/render.js';
import { frontsOf, scoreOf } from './front.js';
import { checkAny } from './run-search.js';
import { searchFiles } from './search-folder.js';
import type { Space } from './space.js';
import { type Result, resultAt, type Trial } from './trial.js';

/** A trial that was trained to the end. Plain data; errors are fractions of the validation images. */
interface Trained extends Omit<Result, 'epochs'> {
  readonly trial: number;
  readonly values: Values;
  readonly score: number;
}

/** What a search has found. Plain data. */
export interface SearchOutcome {
  readonly trials: number;
  /** Trials that failed, and trials that were not trained to the end. */
  readonly failed: number;
  readonly stopped: number;
  /** Every trial that was trained to the end. */
  readonly trained: readonly Trained[];
  /** Those that no other one dominates, by their standard error. */
  readonly front: readonly Trained[];
  /** The one with the lowest score. */
  readonly chosen: Trained;
}

/** @throws CertError `not-finite` where no trial was trained to the end */
export function outcomeOf(space: Space, trials: readonly Trial[], weight: number): SearchOutcome {
  const trained = trials.flatMap((trial): readonly Trained[] => {
    const result = trial.failed === undefined ? resultAt(trial, space.configOf(trial.values).epochs) : undefined;
    if (result === undefined) return [];
    const { epochs: _, ...errors } = result;
    return [{ trial: trial.trial, values: trial.values, ...errors, score: scoreOf(errors, weight) }];
  });
  checkAny(trials, trained.length);
  const [first = []] = frontsOf(trained);
  const front = first
    .map((i) => trained[i]!)
    .sort((a, b) => a.standardError - b.standardError || a.verifiedError - b.verifiedError || a.trial - b.trial);
  const [chosen] = [...front].sort(
    (a, b) => a.score - b.score || a.verifiedError - b.verifiedError || a.trial - b.trial,
  );
  const failed = trials.filter((trial) => trial.failed !== undefined).length;
  const stopped = trials.length - failed - trained.length;
  return { trials: trials.length, failed, stopped, trained, front, chosen: chosen! };
}

/** The configuration of a trial as a file for `cert train --config`. */
const configText = (config: RunConfig): string => `${JSON.stringify(config, null, 2)}\n`;

/** Writes the configuration that was chosen, the front, and its figure. */
export async function writeOutcome(folder: string, space: Space, outcome: SearchOutcome): Promise<void> {
  const files = searchFiles(folder);
  const { trained, front, chosen } = outcome;
  const { preset, validation } = space.base;
  await writeFileAtomic(files.best, configText(space.configOf(chosen.values)));
  await writeFileAtomic(files.front, `${JSON.stringify(outcome, null, 2)}\n`);
  const points = trained.map(({ trial, standardError, verifiedError }) => {
    const place = trial === chosen.trial ? 'chosen' : front.some((one) => one.trial === trial) ? 'front' : 'other';
    return { trial, standardError, verifiedError, place } as const;
  });
  const heading = {
    title: `Search on ${preset}`,
    subtitle: [`${trained.length} trials, errors on ${percent(validation)} of the training images`],
  };
  await writeFileAtomic(files.figure, await renderSvg(paretoFrontFigure(points, heading)));
}
