import { flatten, sizeOf, transpose } from '@cert/core';
import type { Zeros } from '../../graph/zero-padding.js';
import { badLayer } from '../errors.js';
import { asImage, imageAt, plain, reshaped, solid, valueAt } from '../layout.js';
import { onlyInput, readsChannelsFirst, type Step } from '../step.js';
import type { Value } from '../value.js';
import type { Rule, Rules } from './rule.js';

/** The value with its first axis last, as a channels-first Flatten reads it. */
function channelsLast(step: Step, given: Value): Value {
  if (given.shape.length === 3) return solid(step, asImage(step, given, true));
  const value = plain(step, given);
  if (given.shape.length === 1) return value;
  const [first, ...others] = given.shape.map((_, axis) => axis);
  return valueAt(step, step.place(transpose([...others, first!]), [value.node], '_transpose'));
}

function flattened(step: Step): Value {
  const channelsFirst = readsChannelsFirst(step);
  const given = onlyInput(step);
  const { node } = channelsFirst ? channelsLast(step, given) : plain(step, given);
  return valueAt(step, step.shapeOf(node).length === 1 ? node : step.place(flatten(), [node], ''));
}

function reshape(step: Step): Value {
  const given = onlyInput(step);
  const asked = step.config.integers('target_shape');
  const known = sizeOf(asked.filter((n) => n !== -1));
  const size = sizeOf(given.shape);
  const shape = asked.map((n) => (n === -1 ? size / known : n));
  const bad = asked.filter((n) => n === -1).length > 1 || shape.some((n) => !Number.isInteger(n) || n < 1);
  if (bad || shape.length === 0 || sizeOf(shape) !== size) {
    throw badLayer(step.layer, `which reshapes [${given.shape}] to [${asked}]`);
  }
  return reshaped(step, given, shape);
}

/** Axes in another order, which count from 1 in the file. Between the orders of images it adds no node. */
function permuted(step: Step): Value {
  const given = onlyInput(step);
  const perm = step.config.integers('dims').map((axis) => axis - 1);
  const { shape } = given;
  if (perm.length !== shape.length || !shape.every((_, axis) => perm.includes(axis))) {
    throw badLayer(step.layer, `whose order of axes is [${perm.map((axis) => axis + 1)}] for [batch,${shape}]`);
  }
  const value = solid(step, given);
  if (value.channelsFirst && perm.join() === '1,2,0') return imageAt(step, value.node, false);
  if (!value.channelsFirst && perm.join() === '2,0,1') return imageAt(step, value.node, true);
  const { node } = plain(step, value);
  const changes = perm.some((axis, i) => axis !== i);
  return changes ? valueAt(step, step.place(transpose(perm), [node], '')) : valueAt(step, node);
}

/** Zeros that a convolution behind them takes as padding. */
function padded(step: Step): Value {
  const image = asImage(step, onlyInput(step), readsChannelsFirst(step));
  const added = zerosOf(step);
  const before = image.zeros ?? [0, 0, 0, 0];
  const zeros = added.map((n, i) => n + before[i]!) as unknown as Zeros;
  if (zeros.every((n) => n === 0)) return image;
  const [rows, columns] = image.channelsFirst ? [1, 2] : [0, 1];
  const grown = [added[0] + added[1], added[2] + added[3]] as const;
  const shape = image.shape.map((n, axis) => n + (axis === rows ? grown[0] : axis === columns ? grown[1] : 0));
  return { ...image, shape, zeros };
}

/** The setting "padding": one number, one for each axis, or one for each end of each axis. */
function zerosOf(step: Step): Zeros {
  const given = step.config.value('padding') ?? 1;
  const axes: unknown[] = Array.isArray(given) ? given : [given, given];
  const ends = axes.map((axis): unknown[] => (Array.isArray(axis) ? axis : [axis, axis]));
  const list = ends.flat();
  const isZeros = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0 && (n as number) <= 2 ** 16;
  if (ends.length === 2 && ends.every((pair) => pair.length === 2) && list.every(isZeros)) {
    return list as unknown as Zeros;
  }
  throw badLayer(step.layer, `whose setting "padding" is ${JSON.stringify(given).slice(0, 80)}`);
}

/** Layers that only training changes. */
const offAtInference =
  (...settings: readonly string[]): Rule =>
  (step) => {
    step.config.ignore(...settings);
    return onlyInput(step);
  };

/** Layers that change shapes and orders, and those that pass on what they get. */
export const shapes: Rules = {
  Flatten: flattened,
  Reshape: reshape,
  Permute: permuted,
  ZeroPadding2D: padded,
  Identity: offAtInference(),
  Dropout: offAtInference('rate', 'noise_shape', 'seed'),
  SpatialDropout2D: offAtInference('rate', 'noise_shape', 'seed', 'data_format'),
  GaussianDropout: offAtInference('rate', 'seed'),
  GaussianNoise: offAtInference('stddev', 'seed'),
  AlphaDropout: offAtInference('rate', 'noise_shape', 'seed'),
  ActivityRegularization: offAtInference('l1', 'l2'),
};
