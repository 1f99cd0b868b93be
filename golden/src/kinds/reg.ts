import { ibp, naturalPass } from '@cert/bounds';
import { linfBall, type Params, reluInputs, type Tensor, tf, valueAndGrad } from '@cert/core';
import type { Device } from '@cert/jit';
import { reluBalance, reluBalanceReport, tightness, tightnessReport, weightedSum } from '@cert/regularizers';
import { caseName, readEdit } from '../case.js';
import { type Comparison, type Tolerance, VALUE } from '../compare.js';
import { compileOn, dataRange, named, type Outputs, put, putParams, putScalar, type Values } from '../device-call.js';
import type { Field } from '../field.js';
import { compareGradients, gradientTolerance } from '../gradients.js';
import type { Kind } from '../kind.js';
import { type Net, readNet } from '../net.js';
import { expectCount } from './ibp.js';

const COARSE = 'the file lost the radius in float32 lower and upper';

/**
 * Radii and their ratios may be small against the usual absolute tolerance, so that they get a relative one only. The files'
 * radii come from lower and upper bounds rounded to float32, half a step of which is 3e-8 at a pixel near 1; ours keep center
 * and radius. The losses, ratios of such radii, are compared with the file's float64 as well.
 */
function radiusTolerance(epsilon: number): Tolerance {
  const rounding = 3e-8 / Math.max(epsilon, 1e-7);
  return { relative: 1e-4 + rounding, absolute: 0, ...(rounding > 1e-4 ? { why: COARSE } : {}) };
}

/** Below this radius the gradients of the file are coarse as well. */
const COARSE_BELOW = 1e-5;

/** The file's name of each number of a layer, and ours. */
const TIGHTNESS = { tightness: 'meanRadius', tightness_ratio: 'ratio', loss_tightness: 'loss' } as const;
const BALANCE = {
  center_mean: 'centerMean',
  n_active: 'activeCount',
  n_inactive: 'inactiveCount',
  mean_active: 'activeMean',
  mean_inactive: 'inactiveMean',
  var_sum_active: 'activeSpread',
  var_sum_inactive: 'inactiveSpread',
  mean_ratio: 'meanRatio',
  var_ratio: 'spreadRatio',
  loss_relu: 'loss',
  loss_relu_skipped: 'skipped',
} as const;

/** The regularizers, layer by layer, and their gradient: `reg`. */
export const regularization: Kind = {
  on: 'devices',
  async compare(source, device, to) {
    const { file } = source;
    const base = file.has('net_from') ? await source.sibling(file.get('net_from').text()) : file;
    const net = readNet(base.get('net'), base.get('x'));
    const evaluate = evaluator(base, file.get('tol').number(), net, device);
    for (const [i, entry] of file.get('cases').list().entries()) {
      compareCase(to, caseName(entry, i), net, entry, await evaluate(entry));
    }
  },
};

function compareCase(to: Comparison, name: string, net: Net, entry: Field, values: Values): void {
  const epsilon = entry.get('eps').number();
  const coarse = epsilon < COARSE_BELOW;
  const radius = radiusTolerance(epsilon);
  to.add(`${name} tightness_0`, values.tightness_0, entry.get('tightness_0').number(), radius);
  for (const quantity of ['L_tightness', 'L_relu', 'total']) {
    to.add(`${name} ${quantity}`, values[quantity], entry.get(quantity).number());
    if (!entry.has('float64')) continue;
    to.add(`${name} float64.${quantity}`, values[quantity], entry.get('float64').get(quantity).number());
  }
  const nodes = reluInputs(net.model);
  expectCount(entry.get('layers'), nodes.length);
  for (const [k, layer] of entry.get('layers').list().entries()) {
    const add = (field: string, expected: number, tolerance: Tolerance = VALUE) =>
      to.add(`${name} layers.${field}`, values[`${nodes[k]}.${field}`], expected, tolerance, `[${k}]`);
    const skipped = layer.get('loss_relu_skipped').flag();
    add('tightness', layer.get('tightness').number(), radius);
    // Our divisor is at least 1e-12, which is what the losses of the file are computed with as well.
    const ratio = layer.get('tightness_ratio').number();
    add(
      'tightness_ratio',
      ratio === Number.POSITIVE_INFINITY ? entry.get('tightness_0').number() / 1e-12 : ratio,
      radius,
    );
    add('loss_tightness', layer.get('loss_tightness').number());
    add('n_total', layer.get('n_total').number());
    add('min_abs_bound', layer.get('min_abs_bound').number());
    for (const field of Object.keys(BALANCE)) {
      if (field === 'loss_relu_skipped') add(field, skipped ? 1 : 0);
      // The file says how the layer came to be skipped (nan, inf); ours has the values that stand in for it.
      else if (skipped && field === 'loss_relu') add(field, 0);
      else if (skipped && field.endsWith('_ratio')) add(field, 1);
      else add(field, layer.get(field).number());
    }
  }
  const expected = entry.get('grad_total');
  const fine = gradientTolerance(expected);
  const tolerance = coarse ? { ...fine, relative: 1e-2, why: COARSE } : fine;
  compareGradients(to, `${name} grad_total`, net, values, 'total', expected, tolerance);
}

/** Every number of both regularizers for one case, and the gradient of their sum. */
function evaluator(base: Field, tolerance: number, net: Net, device: Device): (entry: Field) => Promise<Values> {
  const { model } = net;
  const range = dataRange(base);
  const total = weightedSum([
    [1, tightness({ tolerance })],
    [1, reluBalance({ tolerance })],
  ]);
  const evaluate = compileOn(device, (start: Params, x: Tensor, epsilon: Tensor): Outputs => {
    const { value, aux, grads } = valueAndGrad((params) => {
      const { norm } = naturalPass({ model, params, norm: 'batch' }, x);
      const input = linfBall(x, epsilon, range);
      const bounds = ibp.bound({ network: { model, params, norm }, box: input });
      const context = { model, params, input, bounds };
      const tight = tightnessReport(context, { tolerance });
      const balance = reluBalanceReport(context, { tolerance });
      const layers: { [name: string]: Tensor } = {};
      for (const node of reluInputs(model)) {
        for (const [field, ours] of Object.entries(TIGHTNESS)) layers[`${node}.${field}`] = tight.layers[node]![ours];
        for (const [field, ours] of Object.entries(BALANCE)) layers[`${node}.${field}`] = balance.layers[node]![ours];
        const { lower, upper } = bounds.at[node]!;
        layers[`${node}.n_total`] = tf.scalar(lower.size);
        layers[`${node}.min_abs_bound`] = tf.minimum(tf.min(tf.abs(lower)), tf.min(tf.abs(upper)));
      }
      const losses = { tightness_0: tight.inputRadius, L_tightness: tight.loss, L_relu: balance.loss };
      return { value: total.term(context), aux: { ...layers, ...losses } };
    }, start);
    return { ...aux, total: value, ...named('total', grads) };
  });
  return (entry) =>
    evaluate(
      putParams(device, net.params, readEdit(entry, net)),
      put(device, net.activation('input', base.get('x').tensor())),
      putScalar(device, entry.get('eps').number()),
    );
}
