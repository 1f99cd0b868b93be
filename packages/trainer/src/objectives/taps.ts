import {
  CertError,
  type IntervalTensor,
  type Model,
  perturbationBox,
  type Scalar,
  type Shape,
  sizeOf,
  stopGradient,
  subModel,
  type Tensor,
  tf,
  withGradient,
} from '@cert/core';
import { robustLoss } from '../loss.js';
import { type AttackOptions, attack, attackNoise, bestOf, climb, repeated } from './attack.js';
import type { BoundedContext, BoundedObjective, ChoiceContext } from './objective.js';
import { type CertifiedOptions, withNaturalLoss } from './robust.js';
import { type IntervalMethod, refuseBall, SABR_ATTACK, shrunkMethod, smallBox } from './sabr.js';
import { checkShare } from './share.js';

/** Options of {@link tapsObjective}. */
export interface TapsOptions extends CertifiedOptions {
  /** Number of ReLUs in the first part of the network, which interval bounds go through; the attack runs in the rest. Default: all but one. */
  readonly cut?: number;
  /** Factor on the gradient of the loss of the attack; default 4. */
  readonly gradScale?: number;
  /** Share of the width of the hidden box, at each end, in which a point passes its gradient to that end; default 0.5. */
  readonly slack?: number;
  /** Attack in the hidden box; default 8 steps of 0.2 times half its width, 3 random starts. */
  readonly attack?: AttackOptions;
  /** Factor on the upper bound behind every unstable ReLU, as in SABR; default 1. */
  readonly reluShrinkage?: number;
  /** Interval bounds, to shrink; default {@link ibp}. Read only for a ReLU shrinkage below 1. */
  readonly ibp?: IntervalMethod;
}

/** Options of {@link stapsObjective}. */
export interface StapsOptions extends TapsOptions {
  /** Size of the small box as a share of the perturbation set (lambda), as in SABR. */
  readonly shrinkage: number;
  /** Attack in the perturbation set that places the small box; default 8 steps of 0.2 times half its width, 3 random starts. */
  readonly boxAttack?: AttackOptions;
}

/**
 * TAPS, training by attacks and propagated sets (Mao, Mueller, Fischer, Vechev 2023): interval bounds through the first part of the network
 * give a hidden box; an attack in it for every other class estimates the margins. The loss is the product of the robust losses of these
 * margins and of the interval bounds through the whole network. Named `taps`.
 *
 * A point passes gradients to the ends of the hidden box as far as it lies near them, none to itself. The gradient through the loss of the
 * attack is multiplied by `gradScale`. While the radius grows, {@link tapsSchedule} trains with interval bounds alone.
 *
 * @throws CertError `bad-argument` for a share outside [0, 1] and, in a step, for a model that cannot be cut there
 */
export const tapsObjective = (options: TapsOptions = {}): BoundedObjective => {
  const { attack: own = SABR_ATTACK } = options;
  return hiddenAttack('taps', options, {
    check: (model) => checkCut(model, options.cut),
    noise: (model) => latentNoise(model, options.cut, own),
    choose(context) {
      const box = perturbationBox(context.perturbation, context.images, context.hyper.epsilon!);
      return { adversarial: latentAttack(context, box, options.cut, own, context.noise) };
    },
  });
};

/**
 * STAPS (Mao et al. 2023): {@link tapsObjective} over the small box of SABR instead of the whole perturbation set. Named `staps`.
 *
 * @throws CertError `bad-argument` as TAPS and SABR
 */
export const stapsObjective = (options: StapsOptions): BoundedObjective => {
  const { attack: own = SABR_ATTACK, boxAttack = SABR_ATTACK, shrinkage } = options;
  checkShare('shrinkage', shrinkage);
  const outer = (model: Model) => attackNoise(boxAttack, model.inputShape);
  return hiddenAttack('staps', options, {
    check(model, perturbation) {
      refuseBall(perturbation);
      checkCut(model, options.cut);
    },
    noise: (model) => [sizeOf(outer(model)) + sizeOf(latentNoise(model, options.cut, own))],
    choose(context) {
      const [batch = 0, drawn = 0] = context.noise.shape;
      const used = sizeOf(outer(context.model));
      const points = attack(context, boxAttack, tf.slice(context.noise, [0, 0], [batch, used]));
      const box = smallBox(context, points, shrinkage);
      const rest = tf.slice(context.noise, [0, used], [batch, drawn - used]);
      return { box, adversarial: latentAttack(context, box, options.cut, own, rest) };
    },
  });
};

function hiddenAttack(
  name: string,
  options: TapsOptions,
  choice: Pick<BoundedObjective, 'check' | 'noise' | 'choose'>,
): BoundedObjective {
  const { cut, gradScale = 4, slack = 0.5 } = options;
  checkShare('slack', slack);
  return withNaturalLoss(options, {
    ...choice,
    ...shrunkMethod(options),
    name,
    bounded: true,
    weighted: true,
    loss(context) {
      const { bounds, weights } = context;
      const found = robustLoss(marginsAt(context, cut, slack), weights);
      const scaled = withGradient((loss: Tensor) => ({
        value: tf.clone(loss),
        gradient: (dy) => tf.mul(dy, gradScale),
      }))(found);
      return tf.mul(scaled, robustLoss(bounds.output.lower, weights)) as Scalar;
    },
  });
}

/** Margins [batch, classes - 1] at the points of the hidden attack, one point for each other class. */
function marginsAt(
  { network, problem, bounds, choice, forward }: BoundedContext,
  cut: number | undefined,
  slack: number,
): Tensor {
  const node = cutNode(network.model, cut);
  const [batch, rows, classes] = problem.spec.matrix.shape;
  const hidden = choice.adversarial!;
  const points = linked(hidden, bounds.at[node.name]!, slack);
  const logits = forward(tf.reshape(points, [batch * rows, ...node.shape]), node.name);
  return tf.sum(tf.mul(problem.spec.matrix, tf.reshape(logits, [batch, rows, classes])), 2);
}

/** Guards of the gradient link: the least slack, and the least distance from the inner end of the slack. */
const LEAST_SLACK = 1e-5;
const LEAST_DISTANCE = 5e-6;

/**
 * The points [batch, rows, ...shape], with the gradient that goes to the ends of the box [batch, ...shape]: 1 at an end, falling to 0 over
 * the slack.
 */
function linked(points: Tensor, { lower, upper }: IntervalTensor, slack: number): Tensor {
  const [below, above] = [tf.expandDims(lower, 1), tf.expandDims(upper, 1)];
  const weight = (distance: () => Tensor) =>
    stopGradient(() => {
      const width = tf.mul(tf.sub(above, below), slack);
      const from = tf.add(distance(), width);
      const share = tf.div(tf.maximum(from, LEAST_DISTANCE), tf.maximum(width, LEAST_SLACK));
      return tf.where(tf.greater(from, 0), share, tf.zerosLike(share));
    });
  // x - x is exactly 0: the value is that of the points.
  const follow = (end: Tensor) =>
    tf.sub(
      end,
      stopGradient(() => tf.clone(end)),
    );
  const toUpper = tf.mul(
    weight(() => tf.sub(points, above)),
    follow(above),
  );
  const toLower = tf.mul(
    weight(() => tf.sub(below, points)),
    follow(below),
  );
  return tf.add(points, tf.add(toUpper, toLower));
}

const latentNoise = (model: Model, cut: number | undefined, { restarts }: AttackOptions): Shape => [
  model.classes - 1,
  restarts,
  ...cutNode(model, cut).shape,
];

/** For each other class, the point of the hidden box where its logit exceeds that of the label most: [batch, classes - 1, ...shape]. */
function latentAttack(
  { model, labels, spec, bound, forward }: ChoiceContext,
  box: IntervalTensor,
  cut: number | undefined,
  options: AttackOptions,
  noise: Tensor,
): Tensor {
  const node = cutNode(model, cut);
  const hidden = bound(box).at[node.name]!;
  const { restarts } = options;
  const rows = model.classes - 1;
  const [batch] = labels.shape as [number];
  const [lower, upper] = [hidden.lower, hidden.upper].map((end) => repeated(end, rows * restarts));
  const half = tf.mul(tf.sub(upper!, lower!), 0.5);
  const clip = (points: Tensor) => tf.minimum(tf.maximum(points, lower!), upper!);
  const matrix = repeated(tf.reshape(spec.matrix, [batch * rows, model.classes]), restarts);
  const middle = tf.mul(tf.add(lower!, upper!), 0.5);
  const found = climb(
    clip(tf.add(middle, tf.mul(tf.reshape(noise, [...half.shape]), half))),
    {
      clip,
      direction: (gradient) => tf.mul(tf.sign(gradient), half),
      objective: (points) => tf.neg(tf.sum(tf.mul(matrix, forward(points, node.name)), 1)),
    },
    options,
  );
  return tf.reshape(bestOf(found, restarts), [batch, rows, ...node.shape]);
}

/** The node that the first part ends with. */
function cutNode({ nodes }: Model, given: number | undefined) {
  const candidates = nodes.filter(({ op }) => op === 'relu');
  const cut = given ?? Math.max(1, candidates.length - 1);
  const node = candidates[cut - 1];
  if (node !== undefined) return node;
  throw new CertError(
    'bad-argument',
    `TAPS is to cut the network behind ReLU ${cut}.`,
    `Give a number from 1 to ${candidates.length}: the model has ${candidates.length} ReLUs.`,
  );
}

/** @throws CertError `bad-argument` for a model that cannot be cut there */
function checkCut(model: Model, cut: number | undefined): void {
  subModel(model, cutNode(model, cut).name);
}
