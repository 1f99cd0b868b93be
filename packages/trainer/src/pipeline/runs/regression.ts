/** What a run on targets, a regression, has beside one on classes. */
import type { RuleTable } from '@cert/bounds';
import {
  type BoundMethod,
  CertError,
  type HostParams,
  type Model,
  type Perturbation,
  type Tensor,
  withLabel,
  withTolerance,
} from '@cert/core';
import { type Dataset, rowsWithTargets, type Split } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import { createEvaluator, type Evaluator } from '@cert/verify';
import type { Regression } from '../../regression.js';
import { radiusText } from '../config/radius.js';

/**
 * Returns the tolerance of a regression: that of the configuration, else the standard deviation of the training targets; null for a dataset
 * with classes.
 *
 * @throws CertError `bad-argument` for a tolerance on a dataset with classes
 */
export function toleranceOf(
  { delta, dataset }: { readonly delta: number | null; readonly dataset: string },
  { target }: Pick<Dataset, 'target'>,
): number | null {
  if (target !== undefined) return delta ?? target.std;
  if (delta === null) return null;
  throw new CertError(
    'bad-argument',
    `--delta is ${radiusText(delta)}, but ${dataset} has classes.`,
    'Leave out --delta. It is the tolerance of a regression, which --csv-task regression declares.',
  );
}

/** @throws CertError `bad-argument` for a regression, where a command is about classes */
export function refuseRegression({ target }: Pick<Dataset, 'target'>, dataset: string, command: string): void {
  if (target === undefined) return;
  throw new CertError(
    'bad-argument',
    `${command} is about classes, but ${dataset} is a regression: the label "${target.name}" is a number.`,
    'Use cert eval, with --delta for the tolerance.',
  );
}

/** A network and test data as an evaluation of classes takes them. */
export interface EvaluatedAs {
  /** The graph. */
  readonly model: Model;
  /** Parameters beside those of the trained model. */
  readonly params: HostParams;
  /** The set around each input. */
  readonly perturbation: Perturbation;
  /** The test inputs. */
  readonly test: Split;
}

/**
 * Returns a network and its test data as an evaluation of classes takes them: as they are, or for a regression the network with a tolerance
 * (`withTolerance` of `@cert/core`) on rows with their labels.
 *
 * @param delta tolerance; null for a classifier
 */
export function evaluatedAs(
  { model, perturbation, test }: Omit<EvaluatedAs, 'params'>,
  delta: number | null,
): EvaluatedAs {
  if (delta === null) return { model, params: {}, perturbation, test };
  return {
    ...withTolerance(model, delta),
    perturbation: withLabel(perturbation, model.inputShape[0]!),
    test: rowsWithTargets(test),
  };
}

/** What {@link evaluatorOf} takes of an experiment. */
interface Evaluating {
  readonly evaluated: EvaluatedAs;
  readonly method: BoundMethod;
  readonly natural: RuleTable<Tensor>;
  readonly regression: Regression | undefined;
}

/** The evaluator of a run, for the weights of its model. The caller disposes it. */
export function evaluatorOf(device: Device, { evaluated, method, natural, regression }: Evaluating): Evaluator {
  const { model, perturbation } = evaluated;
  const delta = regression?.delta;
  const evaluator = createEvaluator({ device, model, method, natural, perturbation, delta });
  const added = putParams(device, evaluated.params);
  return {
    evaluate: ({ params, stats }, options) => evaluator.evaluate({ params: { ...params, ...added }, stats }, options),
    async dispose() {
      disposeTree(added);
      await evaluator.dispose();
    },
  };
}
