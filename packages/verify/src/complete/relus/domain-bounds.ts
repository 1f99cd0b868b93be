import { type LinearBound, leastOf, linearBound, linesOf, naturalPass, toRows } from '@cert/bounds';
import {
  type Bounds,
  INPUT,
  type IntervalTensor,
  type Params,
  sizeOf,
  type Tensor,
  type Tensor3D,
  tf,
} from '@cert/core';
import type { Weights } from '../../verifier.js';
import { networkOf, type SearchSetting, type Sides } from '../weights.js';
import { type AscentRates, type AscentState, ascend, noMoments } from './ascent.js';
import { usualMixtures } from './root-bounds.js';
import type { Structure } from './structure.js';

/** What a batch of domains is bounded with. */
export type DomainBatch = {
  /** The region's box, [1, ...inputShape]. */
  readonly box: Sides;
  /** Bounds of the region at the nodes, [1, ...shape]. */
  readonly at: { readonly [node: string]: Sides };
  /** Splits by node, [domains, ...shape]: 1 where the values are >= 0, -1 where they are <= 0, 0 where nothing is known. */
  readonly signs: { readonly [node: string]: Tensor };
  /** Rows of the outputs to be bounded, [domains, rows, outputs]. */
  readonly matrix: Tensor3D;
};

/** What is read of a batch of domains in the end. */
export type DomainResult = {
  /** Lower bounds, [domains, rows]. */
  readonly lower: Tensor;
  /** The points where the linear bounds are least, [domains, rows, ...inputShape]. */
  readonly points: Tensor;
  /** The outputs there, [domains, rows, outputs]. */
  readonly outputs: Tensor;
  /** By node, [domains, ...shape]: how much a split of a neuron is expected to gain; 0 for those that are stable (BaBSR). */
  readonly scores: { readonly [node: string]: Tensor };
  /** By node, [domains, ...shape]: what the upper lines of unstable neurons cost. */
  readonly intercepts: { readonly [node: string]: Tensor };
};

/**
 * The compiled functions that bound domains: a region of inputs together with splits of ReLUs, by linear relaxation with a slope for each row
 * (alpha) and a multiplier for each split (beta-CROWN; Wang et al. 2021).
 */
export function createDomainBounds({ device, model, rules }: SearchSetting, { bounded, curved }: Structure) {
  const last = model.nodes.at(-1)!.name;
  const relus = curved.filter(({ op }) => op === 'relu');
  const splittable = [...new Set(relus.map(({ inputs }) => inputs[0]!))];

  /** Everything about a batch that does not depend on variables. */
  const settingOf = (weights: Weights, { box, at, signs, matrix }: DomainBatch) => {
    const network = networkOf(model, weights);
    const domains = matrix.shape[0];
    const repeat = ({ lower, upper }: Sides): IntervalTensor => {
      const whole = (x: Tensor) => tf.broadcastTo(x, [domains, ...x.shape.slice(1)]);
      return { lower: whole(lower), upper: whole(upper) };
    };
    const clamped = Object.fromEntries(
      bounded.map(({ name }) => [name, signs[name] === undefined ? repeat(at[name]!) : clamp(at[name]!, signs[name])]),
    );
    const whole = repeat(box);
    const all: Bounds['at'] = { ...clamped, [INPUT]: whole };
    return { network, box: whole, at: all, lines: linesOf(rules.linearRelaxation, network, all) };
  };
  const boundWith = (
    setting: ReturnType<typeof settingOf>,
    { signs, matrix }: DomainBatch,
    variables: Params,
    keep: readonly string[] = [],
  ): LinearBound => {
    const named = (kind: string, f: (x: Tensor, node: string) => Tensor) =>
      Object.fromEntries(
        Object.entries(variables).flatMap(([node, own]) => (own[kind] ? [[node, f(own[kind], node)]] : [])),
      );
    const mixtures = named('mixture', (x) => x);
    const multipliers = named('multiplier', (beta, node) => tf.mul(beta, tf.expandDims(signs[node]!, 1)));
    return linearBound(rules.linearRelaxation, { ...setting, mixtures, multipliers }, last, toRows(matrix), keep);
  };

  return {
    splittable,
    /** Variables that stand for plain CROWN: the usual slopes, no multipliers. */
    usual: device.jit((weights: Weights, batch: DomainBatch): Params => {
      const rows = batch.matrix.shape[1];
      const mixtures = usualMixtures(
        settingOf(weights, batch).lines,
        curved.map(({ name }) => name),
        rows,
      );
      const multipliers = Object.fromEntries(
        Object.entries(batch.signs).map(([node, signs]) => [
          node,
          { multiplier: tf.zeros([signs.shape[0]!, rows, ...signs.shape.slice(1)]) },
        ]),
      );
      return { ...mixtures, ...multipliers };
    }),
    /** Moments of Adam before the first step. */
    fresh: device.jit((variables: Params) => noMoments(variables)),
    /** One step of optimization. */
    step: device.jit((weights: Weights, batch: DomainBatch, state: AscentState, best: Tensor, rates: AscentRates) => {
      const setting = settingOf(weights, batch);
      const { lower, state: next } = ascend(
        state,
        (variables) => leastOf(setting.box, boundWith(setting, batch, variables)),
        rates,
      );
      return { best: tf.maximum(best, lower), state: next };
    }),
    /** Lower bounds alone, [domains, rows]. */
    evaluate: device.jit((weights: Weights, batch: DomainBatch, variables: Params) => {
      const setting = settingOf(weights, batch);
      return { lower: leastOf(setting.box, boundWith(setting, batch, variables)) };
    }),
    /** Lower bounds, candidates for witnesses, and scores of neurons. */
    finish: device.jit((weights: Weights, batch: DomainBatch, variables: Params): DomainResult => {
      const setting = settingOf(weights, batch);
      const bound = boundWith(
        setting,
        batch,
        variables,
        relus.map(({ name }) => name),
      );
      const [domains, rows] = batch.matrix.shape;
      const { coefficients } = bound.rows;
      const shape = [domains, rows, ...model.inputShape];
      const slopes = tf.reshape(coefficients, shape);
      const points = tf.where(
        tf.greater(slopes, 0),
        tf.expandDims(setting.box.lower, 1),
        tf.expandDims(setting.box.upper, 1),
      );
      const { output } = naturalPass(
        setting.network,
        tf.reshape(points, [domains * rows, ...model.inputShape]),
        rules.natural,
      );
      const scores: { [node: string]: Tensor } = {};
      const intercepts: { [node: string]: Tensor } = {};
      for (const relu of relus) {
        const rowsAt = bound.at[relu.name];
        if (rowsAt === undefined) continue;
        const node = relu.inputs[0]!;
        const { lower, upper } = setting.at[node]!;
        const size = sizeOf(relu.shape);
        const lambda = tf.reshape(rowsAt.coefficients, [domains, rows, ...relu.shape]);
        const open = tf.cast(tf.logicalAnd(tf.less(lower, 0), tf.greater(upper, 0)), 'float32');
        const slope = tf.mul(open, tf.div(upper, tf.maximum(tf.sub(upper, lower), 1e-12)));
        const bias = setting.network.params[node]?.bias ?? tf.zeros([1]);
        const perRow = (x: Tensor) => tf.expandDims(x, 1);
        const intercept = tf.mul(tf.neg(tf.relu(tf.neg(lambda))), perRow(tf.mul(tf.neg(lower), slope)));
        const shifted = tf.mul(lambda, bias);
        const change = tf.maximum(tf.mul(shifted, perRow(tf.sub(slope, 1))), tf.mul(shifted, perRow(slope)));
        const score = tf.mul(tf.abs(tf.add(change, intercept)), perRow(open));
        const add = (table: typeof scores, x: Tensor) => {
          const sum = tf.sum(x, 1);
          table[node] = table[node] === undefined ? sum : tf.add(table[node], sum);
        };
        if (size > 0) add(scores, score);
        add(intercepts, tf.neg(intercept));
      }
      return {
        lower: leastOf(setting.box, bound),
        points,
        outputs: tf.reshape(output, [domains, rows, model.classes]),
        scores,
        intercepts,
      };
    }),
    async dispose() {
      for (const f of [this.usual, this.fresh, this.step, this.evaluate, this.finish]) await f.dispose();
    },
  };
}

/** Functions of {@link createDomainBounds}. */
export type DomainBounds = ReturnType<typeof createDomainBounds>;

/** Bounds [1, ...shape] where splits [domains, ...shape] hold, too. */
function clamp({ lower, upper }: Sides, signs: Tensor): Sides {
  const active = tf.cast(tf.greater(signs, 0), 'float32');
  const inactive = tf.cast(tf.less(signs, 0), 'float32');
  return {
    lower: tf.add(lower, tf.mul(active, tf.sub(tf.relu(lower), lower))),
    upper: tf.sub(upper, tf.mul(inactive, tf.relu(upper))),
  };
}
