import { affine, batchNorm, describeValue, filledTensor, type HostTensor, type Shape } from '@cert/core';
import { broadcastIndices, broadcastShape } from '../../onnx/order.js';
import { badLayer, unsupported } from '../errors.js';
import { asImage, plain, solid } from '../layout.js';
import { axisOf, onlyInput, type Step } from '../step.js';
import type { Value } from '../value.js';
import type { Rules } from './rule.js';

/** The axis of a normalization, one number or a list of one. */
function axisSetting(step: Step): number {
  const axes = step.config.value('axis') === undefined ? [-1] : step.config.integers('axis');
  if (axes.length === 1) return axes[0]!;
  throw unsupported(step.layer, `its axes are [${axes}]`, 'Only normalization along the channels is supported.');
}

/** A value whose node has the axis of a normalization last. */
function withAxisLast(step: Step, given: Value): Value {
  const axis = axisOf(step, axisSetting(step), given.shape.length);
  const last = given.channelsFirst ? 0 : given.shape.length - 1;
  if (axis === last) return solid(step, given);
  if (given.channelsFirst && axis === 2) return plain(step, given);
  if (!given.channelsFirst && axis === 0 && given.shape.length === 3) return solid(step, asImage(step, given, true));
  throw unsupported(
    step.layer,
    `it normalizes axis ${axis + 1} of [batch,${given.shape}]`,
    'Normalize the channels: the last axis, or the first one behind the batch in a model of channels-first images.',
  );
}

function batchNormalization(step: Step): Value {
  const { config, layer } = step;
  const value = withAxisLast(step, onlyInput(step));
  if (value.channelsFirst) {
    step.note(
      `The layer "${layer.name}" normalizes channels-first images, which the CPU backend of TensorFlow.js 4.22 computes wrongly: its outputs differ from those of the import and of other backends.`,
    );
  }
  // Written by old versions of Keras; each changes training alone where it is off.
  if (config.flag('renorm', false)) throw unsupported(layer, 'it renormalizes', 'Build the layer without renorm.');
  config.ignore('fused', 'synchronized', 'virtual_batch_size', 'renorm_clipping', 'renorm_momentum');
  const channels: Shape = [step.shapeOf(value.node).at(-1)!];
  const given = (flag: string, name: string, otherwise: number): HostTensor =>
    config.flag(flag, true) ? step.weights([name], channels) : filledTensor(channels, otherwise);
  const [gamma, beta] = [given('scale', 'gamma', 1), given('center', 'beta', 0)];
  const [mean, variance] = [step.weights(['moving_mean'], channels), step.weights(['moving_variance'], channels)];
  const epsilon = config.number('epsilon', 1e-3);
  if (!(variance.data as Float32Array).every((v) => v + epsilon > 0)) {
    throw badLayer(layer, 'which has a variance that is not positive');
  }
  // There the momentum is the weight of the old statistics. Rounded, so that 1 - 0.9 is 0.1.
  const momentum = Number(Math.min(1, Math.max(0, 1 - config.number('momentum', 0.99))).toPrecision(12));
  const node = step.place(batchNorm({ epsilon, momentum }), [value.node], '');
  step.setParams(node, { gamma, beta });
  step.setStats(node, { mean, variance });
  return { ...value, node };
}

/** Numbers and their shape: that of a number is []. */
interface Numbers {
  readonly shape: Shape;
  /** Row-major. */
  readonly numbers: readonly number[];
}

/** Levels of nested lists above which a setting is refused. */
const MOST_LEVELS = 8;

/** Numbers in lists in lists, as one list. */
function numbersIn(step: Step, key: string, value: unknown): readonly number[] {
  const list: unknown[] = Array.isArray(value) ? value.flat(MOST_LEVELS) : [value];
  if (list.every((n): n is number => Number.isFinite(n)) && list.length > 0) return list;
  throw badLayer(step.layer, `whose setting "${key}" is ${describeValue(value ?? null)} instead of numbers`);
}

/** A number, or numbers in nested lists of equal lengths. */
function tensorIn(step: Step, key: string, value: unknown): Numbers {
  const numbers = numbersIn(step, key, value);
  const shape: number[] = [];
  for (let items: readonly unknown[] = [value]; items.some(Array.isArray); items = items.flat()) {
    const lengths = new Set(items.map((item) => (Array.isArray(item) ? item.length : undefined)));
    const [length] = lengths;
    if (lengths.size > 1 || length === undefined) {
      throw badLayer(step.layer, `whose setting "${key}" is ${describeValue(value)} instead of lists of equal lengths`);
    }
    shape.push(length);
  }
  return { shape, numbers };
}

/** x * scale + shift, with numbers that are broadcast to the shape of x. */
function scaled(step: Step, given: Value, scale: Numbers, shift: Numbers): Value {
  // One number for all does not care about the order of the axes.
  const value = scale.numbers.length === 1 && shift.numbers.length === 1 ? solid(step, given) : plain(step, given);
  const shape = step.shapeOf(value.node);
  const batch = [1, ...given.shape];
  const byElement = [scale, shift].some(({ shape: own }) => own.slice(0, -1).some((length) => length > 1));
  const wide = ({ shape: from, numbers }: Numbers): readonly number[] => {
    if (broadcastShape(from, batch)?.join() !== batch.join()) {
      throw unsupported(
        step.layer,
        `it has ${from.join('x')} numbers for an input of shape [${given.shape}]`,
        'Give one number, one for each channel (the last axis), or nested lists that broadcast to the shape of the input.',
      );
    }
    const indices = byElement
      ? broadcastIndices(from, [1, ...shape])
      : broadcastIndices(from.slice(-1), shape.slice(-1));
    return Array.from(indices, (i) => numbers[i]!);
  };
  const [factors, terms] = [wide(scale), wide(shift)];
  if (![...factors, ...terms].every((n) => Number.isFinite(Math.fround(n)))) {
    throw badLayer(step.layer, 'whose numbers are not finite in float32');
  }
  if (factors.every((n) => n === 1) && terms.every((n) => n === 0)) return value;
  return { ...value, node: step.place(affine(factors, terms), [value.node], '') };
}

function rescaling(step: Step): Value {
  const { config } = step;
  const scale = tensorIn(step, 'scale', config.value('scale') ?? 1);
  const shift = tensorIn(step, 'offset', config.value('offset') ?? 0);
  return scaled(step, onlyInput(step), scale, shift);
}

/** The least deviation that Keras divides by. */
const LEAST_DEVIATION = 1e-7;

/** (x - mean) / deviation, with the moments in the settings or in the weights. */
function inputNormalization(step: Step): Value {
  const { config, layer } = step;
  if (config.flag('invert', false)) throw unsupported(layer, 'it is inverted', 'Use a Rescaling layer instead.');
  const given = onlyInput(step);
  const [mean, variance] = [config.value('mean'), config.value('variance')];
  const axis = config.value('axis');
  const all = Array.isArray(axis) && axis.length === 0;
  const value = all || given.shape.length === 0 ? solid(step, given) : withAxisLast(step, given);
  const channels = step.shapeOf(value.node).at(-1)!;
  const moments = (key: string, setting: unknown): readonly number[] =>
    setting === undefined ? [...step.weights([key], all ? [] : [channels]).data] : numbersIn(step, key, setting);
  const [means, variances] = [moments('mean', mean), moments('variance', variance)];
  if (mean === undefined && step.shapeOfWeights('count') !== undefined) step.weights(['count'], []);
  if (means.length !== variances.length || variances.some((v) => v < 0)) {
    throw badLayer(layer, `which has ${means.length} means and ${variances.length} variances from 0`);
  }
  const scale = variances.map((v) => 1 / Math.max(Math.sqrt(v), LEAST_DEVIATION));
  const shift = means.map((m, i) => -m * scale[i]!);
  const listed = (numbers: readonly number[]): Numbers => ({ shape: [numbers.length], numbers });
  // The axis is the last one of the node, so the numbers are those of its channels.
  const plainValue = { ...value, shape: step.shapeOf(value.node), channelsFirst: false };
  return { ...value, node: scaled(step, plainValue, listed(scale), listed(shift)).node };
}

/** Normalization of batches and of inputs. */
export const normalization: Rules = {
  BatchNormalization: batchNormalization,
  Rescaling: rescaling,
  Normalization: inputNormalization,
};
