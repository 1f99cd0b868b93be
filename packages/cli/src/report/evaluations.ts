import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arithmetic } from '@cert/bounds';
import { CertError } from '@cert/core';
import type { Split } from '@cert/datasets';
import { clopperPearson, countResults, type EvaluationCounts, type Proportion } from '@cert/verify';
import {
  type EvaluationSettings,
  inputHash,
  readEvaluation,
  type StoredResult,
  VERSION,
  versionText,
} from '@cert/verify/node';

/** An evaluation of a checkpoint, image by image. Plain data. */
export interface FoundEvaluation {
  readonly file: string;
  readonly settings: EvaluationSettings;
  readonly arithmetic: Arithmetic;
  readonly counts: EvaluationCounts;
  /** In the order of their indices, from 0. */
  readonly results: readonly StoredResult[];
  /** Inputs that are proved to be classified correctly over the whole ball. */
  readonly verified: Proportion;
}

/** What the folder of a run holds of evaluations. */
export interface FoundEvaluations {
  /** Finished evaluations of the checkpoint, the one to report first. */
  readonly of: readonly FoundEvaluation[];
  /** What is there besides, for people: unfinished evaluations, those of other checkpoints, damaged files. */
  readonly notes: readonly string[];
  /** Unfinished evaluations of the checkpoint. */
  readonly unfinished: readonly { readonly file: string; readonly images: number }[];
}

/** From the weakest claim to the strongest. */
const STRENGTH: readonly Arithmetic[] = ['nearest', 'real', 'deployed'];

/** Which evaluations {@link findEvaluations} looks for. */
export interface WantedEvaluations {
  /** SHA-256 of the checkpoint file. */
  readonly checkpoint: string;
  readonly dataset: string;
  /** The radius of the run, whose evaluation comes first. */
  readonly epsilon: number;
  /** The perturbation set of the run, as evaluations have it. */
  readonly set: EvaluationSettings['perturbation'];
  /** The tolerance of a regression; null for a classifier. */
  readonly delta: number | null;
  /** The test inputs: results of other inputs do not count. Null where the data could not be read. */
  readonly split: Split | null;
}

/**
 * Finds the evaluations of a checkpoint in `eval` of a run. Only finished ones of these very weights and of this dataset count: an
 * unfinished one has the images first that are verified at once.
 *
 */
export async function findEvaluations(
  folder: string,
  { checkpoint, dataset, epsilon, set, delta, split }: WantedEvaluations,
): Promise<FoundEvaluations> {
  const at = join(folder, 'eval');
  const names = await readdir(at).catch((): string[] => []);
  const [of, notes, unfinished]: [FoundEvaluation[], string[], { file: string; images: number }[]] = [[], [], []];
  for (const name of names.filter((each) => each.endsWith('.jsonl')).sort()) {
    const file = join(at, name);
    const read = await readEvaluation(file).catch((error: unknown) => {
      if (!(error instanceof CertError)) throw error;
      notes.push(error.problem);
      return undefined;
    });
    if (read === undefined) continue;
    const { settings, results, finished, damaged } = read;
    if (settings.checkpoint !== checkpoint)
      notes.push(`${file} is an evaluation of another checkpoint and was left out.`);
    else if (settings.dataset !== dataset)
      notes.push(`${file} is an evaluation on ${settings.dataset} and was left out.`);
    else if ((settings.delta ?? null) !== delta)
      notes.push(`${file} is an evaluation ${toleranceOf(settings)} and was left out.`);
    else if (JSON.stringify(settings.perturbation) !== JSON.stringify(set))
      notes.push(`${file} is an evaluation of another perturbation set and was left out.`);
    else if (split !== null && !results.every((result) => isOf(split, result)))
      notes.push(`${file} is an evaluation of other test data and was left out.`);
    else if (finished) {
      of.push(counted(file, settings, results));
      if (settings.version !== VERSION) {
        notes.push(
          `${file} was computed by ${versionText(settings.version)}. This is ${versionText(VERSION)}: its CHANGELOG says whether to evaluate again with --overwrite.`,
        );
      }
    } else {
      if (damaged > 0) notes.push(`${file} has ${damaged} damaged lines.`);
      unfinished.push({ file, images: results.length });
    }
  }
  const rank = ({ settings, counts, arithmetic }: FoundEvaluation) =>
    [
      settings.epsilon === epsilon ? 1 : 0,
      // What an earlier version counted as verified may be corrected in this one.
      settings.version === VERSION ? 1 : 0,
      counts.images,
      STRENGTH.indexOf(arithmetic),
      settings.attack === null ? 0 : 1,
      -counts.undecided,
    ] as const;
  return { of: of.sort((a, b) => compare(rank(b), rank(a))), notes, unfinished };
}

const toleranceOf = ({ delta }: EvaluationSettings): string =>
  delta === undefined ? 'of classes' : `at another tolerance (--delta ${delta})`;

/** Whether a result is about the input of a split at its index. */
const isOf = (split: Split, { index, label, input }: StoredResult): boolean =>
  index < split.count && split.labels[index] === label && input === inputHash(split, index);

const compare = (a: readonly number[], b: readonly number[]): number => {
  const i = a.findIndex((value, k) => value !== b[k]);
  return i < 0 ? 0 : a[i]! - b[i]!;
};

function counted(file: string, settings: EvaluationSettings, results: readonly StoredResult[]): FoundEvaluation {
  const { arithmetic = 'nearest' } = settings;
  const verified = results.filter(({ verifiedBy }) => verifiedBy !== null).length;
  return {
    ...{ file, settings, arithmetic, results, counts: countResults(results, settings) },
    verified: proportion(verified, results.length),
  };
}

/** A count as a fraction, with its exact 95 % interval. */
export const proportion = (count: number, of: number): Proportion => ({
  ...{ count, fraction: count / of },
  interval: clopperPearson(count, of),
});
