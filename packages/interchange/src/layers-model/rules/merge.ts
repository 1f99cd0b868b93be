import { add, affine, concat } from '@cert/core';
import { badLayer, unsupported } from '../errors.js';
import { plain, solid } from '../layout.js';
import { axisOf, type Step } from '../step.js';
import type { Value } from '../value.js';
import type { Rules } from './rule.js';

/** The inputs of a layer in nodes of one order of axes, with as many as it needs. */
function together(step: Step): readonly [Value, Value, ...Value[]] {
  if (step.inputs.length < 2) throw badLayer(step.layer, `which is called with ${step.inputs.length} inputs`);
  const same = step.inputs.every(({ channelsFirst }) => channelsFirst);
  const values = step.inputs.map((value) => (same ? solid(step, value) : plain(step, value)));
  return values as unknown as readonly [Value, Value, ...Value[]];
}

function sum(step: Step, suffix: string, scales: (i: number) => number = () => 1): Value {
  const [first, ...others] = together(step);
  const other = others.find(({ shape }) => shape.join() !== first.shape.join());
  if (other !== undefined) {
    throw unsupported(
      step.layer,
      `its inputs have the shapes [${first.shape}] and [${other.shape}]`,
      'Inputs must have the same shape: broadcasting is not supported.',
    );
  }
  const node = others.reduce((total, { node }, i) => {
    const isLast = i === others.length - 1;
    const scale = scales(i + 1);
    const next = scale === 1 ? node : multiplied(step, node, scale, '_negated');
    return step.place(add(), [total, next], isLast ? suffix : '_sum');
  }, first.node);
  return { ...first, node };
}

function multiplied(step: Step, node: string, scale: number, suffix: string): string {
  const channels = step.shapeOf(node).at(-1)!;
  const numbers = (n: number) => Array.from({ length: channels }, () => n);
  return step.place(affine(numbers(scale), numbers(0)), [node], suffix);
}

function mean(step: Step): Value {
  const total = sum(step, '_sum');
  return { ...total, node: multiplied(step, total.node, 1 / step.inputs.length, '') };
}

function concatenated(step: Step): Value {
  const values = together(step);
  const [{ shape, channelsFirst }] = values;
  const axis = axisOf(step, step.config.number('axis', -1), shape.length);
  const fits = values.every(
    (value) => value.shape.length === shape.length && value.shape.every((n, i) => i === axis || n === shape[i]),
  );
  if (!fits) {
    const shapes = values.slice(0, 8).map((value) => `[${value.shape}]`);
    throw badLayer(step.layer, `which concatenates the shapes ${shapes.join(', ')} along axis ${axis + 1}`);
  }
  const nodes = values.map(({ node }) => node);
  // Channels are last in the model.
  const node = step.place(concat(channelsFirst ? (axis + 2) % 3 : axis, nodes.length), nodes, '');
  const length = values.reduce((total, value) => total + value.shape[axis]!, 0);
  return { node, channelsFirst, shape: shape.map((n, i) => (i === axis ? length : n)) };
}

/** Layers of several inputs. */
export const merging: Rules = {
  Add: (step) => sum(step, ''),
  Subtract(step) {
    if (step.inputs.length > 2) throw badLayer(step.layer, `which is called with ${step.inputs.length} inputs`);
    return sum(step, '', () => -1);
  },
  Average: mean,
  Concatenate: concatenated,
};
