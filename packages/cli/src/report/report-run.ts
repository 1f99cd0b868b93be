import { type Perturbation, type Shape, UNIT_BALL } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import { decodeCheckpoint } from '@cert/models';
import {
  type Catalog,
  checkConfigOf,
  checkDataFits,
  type EvaluatedAs,
  type ExampleWords,
  evaluatedAs,
  exampleWords,
  perturbationOf,
  type RunConfig,
  readRunConfig,
  runFiles,
  toleranceOf,
} from '@cert/trainer/pipeline';
import { perturbationSetting } from '@cert/verify/node';
import type { ComparedRun } from '../runs/compare-runs.js';
import { stateOf } from '../show/runs-table.js';
import { readBytes } from '../verify/network.js';
import { absoluteErrors, absoluteSentence } from './absolute-errors.js';
import { type Confusion, confusionOf } from './confusion.js';
import { type ErrorRow, errorRows } from './error-rows.js';
import { type FoundEvaluation, findEvaluations } from './evaluations.js';
import type { Gallery } from './gallery.js';
import { type Missing, missingParts } from './missing.js';
import { hashSplit, type Provenance, provenanceOf, sha256 } from './provenance.js';
import type { InputRadius, RadiiSettings } from './radii-file.js';
import { type RunSummary, readRunSummary } from './read-summary.js';
import { deltaOption, type RegressionPart, type Values } from './regression.js';
import { readTraining, type Training } from './training.js';
import { evaluationVerdict, summaryVerdict, type Verdict } from './verdict.js';

/** Certified radii of the first test inputs. Plain data. */
export interface Radii extends Omit<RadiiSettings, 'checkpoint' | 'data' | 'version'> {
  readonly inputs: readonly InputRadius[];
}

/** All that a report says of a run. Plain data. */
export interface ReportRun {
  readonly name: string;
  readonly folder: string;
  /** In words. */
  readonly state: string;
  readonly date: string;
  readonly config: RunConfig;
  readonly checkpoint: string;
  readonly words: ExampleWords;
  readonly inputShape: Shape;
  readonly classes: number;
  readonly classNames: readonly string[] | null;
  /** Of rows; null where they are not known. */
  readonly featureNames: readonly string[] | null;
  /** Of training, in seconds; null where it is not known. */
  readonly trainSeconds: number | null;
  readonly parameters: number | null;
  /** The radius that radii and gallery are compared with. */
  readonly epsilon: number;
  /** Null where nothing is known. */
  readonly verdict: Verdict | null;
  readonly errors: readonly ErrorRow[];
  /** Finished evaluations at this and other radii. */
  readonly evaluations: readonly Omit<FoundEvaluation, 'results'>[];
  readonly training: Training;
  readonly radii: Radii | null;
  readonly gallery: Gallery | null;
  /** Null for a regression too. */
  readonly confusion: Confusion | null;
  /** Null for a classifier. */
  readonly regression: RegressionPart | null;
  readonly provenance: Provenance;
  /** What a report could also say, and how. */
  readonly missing: readonly Missing[];
  /** What was left out. */
  readonly notes: readonly string[];
}

/** What is computed of the test inputs, for a report. */
export interface Computed {
  readonly radii: Radii | null;
  readonly gallery: Gallery | null;
  readonly values: Values | null;
}

/** A network of a run with its test data. */
export interface ComputeInput {
  readonly folder: string;
  readonly config: RunConfig;
  readonly checkpoint: string;
  readonly network: Pick<ReturnType<typeof decodeCheckpoint>, 'model' | 'params' | 'stats'>;
  readonly data: Omit<Dataset, 'train'>;
  /** The network, the data and what may change as evaluations take them: of a regression, a classifier of predictions within the tolerance. */
  readonly evaluated: EvaluatedAs;
  /** The tolerance of a regression; null for a classifier. */
  readonly delta: number | null;
  readonly dataHash: string;
  readonly evaluation: FoundEvaluation | undefined;
  readonly epsilon: number;
  /** What may change. */
  readonly perturbation: Perturbation;
}

/** What {@link reportRun} is told. */
export interface ReportRunOptions {
  readonly which: 'last' | 'best';
  /** The tolerance of regressions; null for that of each run. */
  readonly delta: number | null;
  readonly catalog: Catalog;
  /** Reads the test data; null, with a note, where it is not to be had. */
  readonly load: (
    config: RunConfig,
  ) => Promise<{ readonly data: Omit<Dataset, 'train'> } | { readonly problem: string }>;
  readonly compute: (input: ComputeInput) => Promise<Computed>;
}

/** How a radius applies to the parts of an input: to each alike, times a scale for each, or as a set of the run says. */
const reachOf = ({ perturbation }: RunConfig, data: Pick<Dataset, 'featureScale'> | null) => {
  if (perturbation !== null) return 'set' as const;
  return data?.featureScale === undefined ? ('each' as const) : ('scaled' as const);
};

/** Nothing is computed without the test data. */
const NOTHING: Computed = { radii: null, gallery: null, values: null };

/** The test data as evaluations take them, and what may change in them. Null where the data could not be read. */
function evaluatedOf(
  config: RunConfig,
  { model }: Pick<ComputeInput['network'], 'model'>,
  data: Omit<Dataset, 'train'> | null,
  delta: number | null,
) {
  // Without the data, images have the usual range, but nobody knows what the set of a table or of a file was.
  const isKnown = data !== null || (config.perturbation === null && model.inputShape.length === 3);
  const known = data ?? { name: config.dataset, range: { min: 0, max: 1 } };
  const perturbation = isKnown ? perturbationOf(config, { ...known, shape: model.inputShape }) : UNIT_BALL;
  const evaluated = data === null ? null : evaluatedAs({ model, perturbation, test: data.test }, delta);
  return { isKnown, perturbation, evaluated };
}

/** What makes a run a regression, without what is computed of it. */
function regressionOf(
  config: RunConfig,
  classes: number,
  { data, summary, delta }: { data: Omit<Dataset, 'train'> | null; summary: RunSummary | null; delta: number | null },
) {
  if (classes > 1) {
    // A tolerance is refused.
    toleranceOf({ delta, dataset: config.dataset }, {});
    return null;
  }
  const trainedDelta = (data === null ? config.delta : toleranceOf(config, data)) ?? summary?.delta ?? null;
  return {
    target: data?.target?.name ?? 'the label',
    ...{ delta: delta ?? trainedDelta, trainedDelta, deviation: data?.target?.std ?? null },
  };
}

/**
 * Gathers what a report says of a run. Whatever is not there is listed as missing, with the command that adds it.
 *
 * @throws CertError `bad-file` when the checkpoint is missing, damaged or of another configuration; `bad-argument` for a tolerance of a
 * classifier
 */
export async function reportRun(
  run: ComparedRun,
  { which, delta: asked, catalog, load, compute }: ReportRunOptions,
): Promise<ReportRun> {
  const { folder, state, trainSeconds, date, name } = run;
  const config = await readRunConfig(folder, catalog);
  const file = runFiles(folder)[which];
  const bytes = await readBytes(file);
  const network = decodeCheckpoint(bytes, file);
  checkConfigOf(file, network.metadata, config, catalog);
  const { model } = network;
  const checkpoint = sha256(bytes);
  // The summary is about the weights after the last step.
  const summary = state === 'finished' && which === 'last' ? await readRunSummary(folder) : null;
  const loaded = await load(config);
  const data = 'data' in loaded ? loaded.data : null;
  if (data !== null) checkDataFits(model, data.test, config.dataset);
  const task = regressionOf(config, model.classes, { data, summary, delta: asked });
  const delta = task?.delta ?? null;
  const { isKnown, perturbation, evaluated } = evaluatedOf(config, network, data, delta);
  const { dataset, epsilon: target } = config;
  const set = perturbationSetting(evaluated?.perturbation ?? perturbation);
  const split = evaluated?.test ?? null;
  const found = isKnown
    ? await findEvaluations(folder, { checkpoint, dataset, epsilon: target, set, delta, split })
    : {
        of: [],
        notes: ['Evaluations were left out: without the data, what they are about is not known.'],
        unfinished: [],
      };
  const [evaluation] = found.of;
  const dataHash = split === null ? null : hashSplit(split);
  const words = exampleWords(config.dataset, model.inputShape);
  // Errors of the training are about its own tolerance.
  const comparable = task === null || task.delta === task.trainedDelta;
  const summarized = isKnown && comparable ? summary : null;
  const epsilon = evaluation?.settings.epsilon ?? summarized?.epsilon ?? config.epsilon;
  const { radii, gallery, values } =
    data === null || dataHash === null || evaluated === null
      ? NOTHING
      : await compute({
          ...{ folder, config, checkpoint, network, data, evaluated, delta, dataHash, evaluation, epsilon },
          perturbation,
        });
  const regression: RegressionPart | null = task && {
    ...task,
    ...{ values, absolute: absoluteErrors({ delta, epsilon, evaluation, summary, run, values }) },
  };
  const available = data?.test.count ?? null;
  const about = {
    ...{ dataset, words, range: data?.range, available, reach: reachOf(config, data) },
    regression: regression && {
      ...{ target: regression.target, delta },
      absolute: absoluteSentence(regression.absolute, regression.target, available),
    },
  };
  const verdict =
    evaluation !== undefined
      ? evaluationVerdict(evaluation, about)
      : summarized !== null
        ? summaryVerdict(summarized, about)
        : null;
  const training = await readTraining(folder, run.config);
  const predictions = regression === null ? (evaluation?.results ?? radii?.inputs ?? []) : [];
  return {
    ...{ name, folder, state: stateOf(run), date, config, checkpoint: which, words, trainSeconds, epsilon, verdict },
    ...{ inputShape: model.inputShape, classes: model.classes, classNames: data?.classNames ?? null },
    featureNames: data?.featureNames ?? null,
    parameters: summary?.parameters ?? null,
    errors: errorRows({ evaluation, summary, run, comparable }),
    evaluations: found.of.map(({ results: _, ...rest }) => rest),
    ...{ training, radii, gallery, regression },
    confusion: predictions.length === 0 ? null : confusionOf(predictions, model.classes),
    provenance: await provenanceOf({
      ...{ folder, evaluation, checkpoint: { name: which, sha256: checkpoint }, data: dataHash },
      device: summary?.deviceDescription ?? null,
      plugins: config.plugins.length > 0,
    }),
    missing: missingParts({
      ...{ run, which, words, evaluation, unfinished: found.unfinished, training },
      hasRadii: radii !== null,
      plugins: config.plugins.length > 0,
      dataProblem: 'problem' in loaded ? loaded.problem : null,
      delta: regression === null ? '' : deltaOption(regression),
    }),
    notes: [
      ...found.notes,
      ...(training.damaged > 0 ? [`${training.damaged} damaged lines of metrics.jsonl were left out.`] : []),
    ],
  };
}
