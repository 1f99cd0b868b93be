import { concat } from '@cert/core';
import { MOST_ELEMENTS } from '../../graph/limits.js';
import { badNode, unsupported } from '../attributes.js';
import { composed, countOf, imageOrder, sameNumbers, sameOrder, simplified, transposedOrder } from '../order.js';
import { asVector, axisIn, constantInput, inputOf, integers, place, type Step, tooLarge } from '../step.js';
import type { Computed, Constant, Value } from '../values.js';
import { imageAt } from './linear.js';
import type { Rules } from './rule.js';

/** The same elements in another shape. Computed values need no node for that. */
function withShape(step: Step, value: Value, shape: readonly number[]): Value {
  if (countOf(shape) !== countOf(value.shape) || shape.some((length) => length < 0 || !Number.isInteger(length))) {
    throw badNode(step.node, `which reshapes [${value.shape}] to [${shape.slice(0, 8)}]`);
  }
  return { ...value, shape };
}

function reshape(step: Step): Value {
  const value = inputOf(step, 0);
  const asked = integers(step, constantInput(step, 1));
  const keepsZero = step.attributes.int('allowzero', 0) !== 0;
  const lengths = asked.map((length, axis) => (length === 0 && !keepsZero ? (value.shape[axis] ?? 0) : length));
  const open = lengths.indexOf(-1);
  if (open === -1) return withShape(step, value, lengths);
  const known = countOf(lengths.filter((_, axis) => axis !== open));
  return withShape(
    step,
    value,
    lengths.map((length, axis) => (axis === open ? countOf(value.shape) / known : length)),
  );
}

function flatten(step: Step): Value {
  const value = inputOf(step, 0);
  const rank = value.shape.length;
  const given = step.attributes.int('axis', 1);
  const axis = given === rank ? rank : axisIn(step, given, rank);
  return withShape(step, value, [countOf(value.shape.slice(0, axis)), countOf(value.shape.slice(axis))]);
}

function transpose(step: Step): Value {
  const value = inputOf(step, 0);
  const rank = value.shape.length;
  const perm = step.attributes.ints('perm') ?? value.shape.map((_, axis) => rank - 1 - axis);
  if (
    !sameNumbers(
      [...perm].sort((a, b) => a - b),
      value.shape.map((_, axis) => axis),
    )
  ) {
    throw badNode(step.node, `whose order of axes is [${perm.slice(0, 8)}] for [${value.shape}]`);
  }
  const shape = perm.map((axis) => value.shape[axis]!);
  const taken = transposedOrder(value.shape, perm);
  if (value.kind === 'computed') return { ...value, shape, order: composed(taken, value.order) };
  return { ...value, shape, data: taken === undefined ? value.data : picked(value.data, taken) };
}

/** Data at some positions, in their type. */
function picked(data: Constant['data'], positions: ArrayLike<number>): Constant['data'] {
  const out = new (data instanceof Float32Array ? Float32Array : Float64Array)(positions.length);
  for (let i = 0; i < out.length; i++) out[i] = data[positions[i]!]!;
  return out;
}

/** Axes in an attribute, or from version 13 on in an input. */
function axesOf(step: Step): number[] | undefined {
  if (step.opset < 13) return step.attributes.ints('axes')?.slice();
  if (step.attributes.has('axes'))
    throw badNode(step.node, 'whose axes are in the wrong place for its operator set version');
  return step.inputs[1] === undefined ? undefined : integers(step, constantInput(step, 1));
}

function squeeze(step: Step): Value {
  const value = inputOf(step, 0);
  const rank = value.shape.length;
  const axes = axesOf(step)?.map((axis) => axisIn(step, axis, rank));
  const gone = (axis: number) => (axes === undefined ? value.shape[axis] === 1 : axes.includes(axis));
  return withShape(
    step,
    value,
    value.shape.filter((_, axis) => !gone(axis)),
  );
}

function unsqueeze(step: Step): Value {
  const value = inputOf(step, 0);
  const axes = axesOf(step) ?? [];
  const rank = value.shape.length + axes.length;
  const added = new Set(axes.map((axis) => axisIn(step, axis, rank)));
  if (added.size !== axes.length) throw badNode(step.node, `whose axes are [${axes.slice(0, 8)}]`);
  let next = 0;
  const shape = Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : value.shape[next++]!));
  return withShape(step, value, shape);
}

function joined(step: Step): Value {
  const values = step.inputs.map((_, i) => inputOf(step, i));
  const first = values[0]!;
  const axis = axisIn(step, step.attributes.int('axis', 0), first.shape.length);
  const fits = values.every(
    ({ shape }) =>
      shape.length === first.shape.length && shape.every((length, i) => i === axis || length === first.shape[i]),
  );
  if (!fits)
    throw badNode(step.node, `which concatenates the shapes ${values.map(({ shape }) => `[${shape}]`).slice(0, 8)}`);
  if (values.length === 1) return first;
  const shape = first.shape.map((length, i) =>
    i === axis ? values.reduce((sum, value) => sum + value.shape[axis]!, 0) : length,
  );
  if (countOf(shape) > MOST_ELEMENTS) throw tooLarge(step.node);
  const computed = values.filter((value) => value.kind === 'computed');
  if (computed.length === values.length) return joinComputed(step, computed, axis, shape);
  const constants = values.filter((value) => value.kind === 'constant');
  if (constants.length < values.length) {
    throw unsupported(step.node, 'it concatenates constants with computed values', 'Concatenate only computed values.');
  }
  const { name, integer } = constants[0]!;
  if (constants.some((constant) => constant.integer !== integer))
    throw badNode(step.node, 'which concatenates two data types');
  const data = new (constants.every((c) => c.data instanceof Float32Array) ? Float32Array : Float64Array)(
    countOf(shape),
  );
  eachElement(constants, axis, (value, _, index, i) => {
    data[i] = value.data[index]!;
  });
  return { kind: 'constant', name, shape, integer, data };
}

/** Shows where the elements of joined values come from, in C order: which value it is, the index in it, the index in the result. */
function eachElement<T extends Value>(
  values: readonly T[],
  axis: number,
  visit: (value: T, which: number, index: number, i: number) => void,
): void {
  const outer = countOf(values[0]!.shape.slice(0, axis));
  let i = 0;
  for (let o = 0; o < outer; o++) {
    values.forEach((value, which) => {
      const inner = countOf(value.shape.slice(axis));
      for (let j = 0; j < inner; j++) visit(value, which, o * inner + j, i++);
    });
  }
}

function joinComputed(step: Step, values: readonly Computed[], axis: number, shape: readonly number[]): Computed {
  const isImage = ({ node, shape: [batch, c, h, w, ...rest], order }: Computed) =>
    rest.length === 0 &&
    batch === 1 &&
    w !== undefined &&
    sameNumbers(step.builder.shapeOf(node), [h!, w, c!]) &&
    sameOrder(order, imageOrder([c!, h!, w]));
  if (axis > 0 && values.every(isImage)) {
    const inModel = axis === 1 ? 2 : axis - 2;
    return imageAt(
      step,
      place(
        step,
        concat(inModel, values.length),
        values.map(({ node }) => node),
      ),
    );
  }
  const vectors = values.map((value) => asVector(step, value));
  const starts = vectors.map((_, i) => vectors.slice(0, i).reduce((sum, value) => sum + countOf(value.shape), 0));
  const node = place(
    step,
    concat(0, vectors.length),
    vectors.map((value) => value.node),
  );
  const order = new Int32Array(countOf(shape));
  eachElement(vectors, axis, (value, which, index, i) => {
    order[i] = starts[which]! + (value.order?.[index] ?? index);
  });
  return { kind: 'computed', node, shape, order: simplified(order) };
}

function constant(step: Step): Value {
  const { attributes, node } = step;
  const name = node.outputs[0]!;
  if (node.attributes.length !== 1) throw badNode(node, `which has ${node.attributes.length} values`);
  const tensor = attributes.tensor('value');
  if (tensor !== undefined) {
    return { kind: 'constant', name, shape: tensor.shape, integer: tensor.type === 'integer', data: tensor.data };
  }
  const ints = attributes.has('value_int') ? [attributes.int('value_int', 0)] : attributes.ints('value_ints');
  if (ints !== undefined) {
    const shape = attributes.has('value_int') ? [] : [ints.length];
    return { kind: 'constant', name, shape, integer: true, data: Float64Array.from(ints) };
  }
  const floats = attributes.has('value_float')
    ? [attributes.float('value_float', 0)]
    : attributes.floats('value_floats');
  const shape = attributes.has('value_float') ? [] : [floats?.length ?? 0];
  return { kind: 'constant', name, shape, integer: false, data: Float32Array.from(floats ?? []) };
}

function shapeOf(step: Step): Value {
  const { shape } = inputOf(step, 0);
  const [start, end] = [step.attributes.int('start', 0), step.attributes.int('end', shape.length)];
  const part = shape.slice(start, end);
  return {
    kind: 'constant',
    name: step.node.outputs[0]!,
    shape: [part.length],
    integer: true,
    data: Float64Array.from(part),
  };
}

function gather(step: Step): Value {
  const from = inputOf(step, 0);
  if (from.kind === 'computed') {
    throw unsupported(step.node, 'it gathers from a computed value', 'Gathering is supported only from constants.');
  }
  const axis = axisIn(step, step.attributes.int('axis', 0), from.shape.length);
  const indices = constantInput(step, 1);
  if (from.shape.length !== 1) {
    throw unsupported(step.node, `it gathers from a constant of shape [${from.shape}]`, 'Fold constants on export.');
  }
  const positions = integers(step, indices).map((index) => axisIn(step, index, from.shape[axis]!));
  return { ...from, name: step.node.outputs[0]!, shape: indices.shape, data: picked(from.data, positions) };
}

/** A part of a list of whole numbers, as graphs cut shapes. */
function slice(step: Step): Value {
  const { node, attributes, opset } = step;
  const from = inputOf(step, 0);
  if (from.kind === 'computed' || from.shape.length !== 1) {
    throw unsupported(
      node,
      `it slices [${from.shape}]`,
      'Slicing is supported only for lists of constants, such as shapes.',
    );
  }
  const part = (name: string, index: number): readonly number[] | undefined => {
    if (opset < 10) return attributes.ints(name);
    if (attributes.has(name)) throw badNode(node, 'whose inputs are in the wrong place for its operator set version');
    return step.inputs[index] === undefined ? undefined : integers(step, constantInput(step, index));
  };
  const [starts, ends] = [part('starts', 1), part('ends', 2)];
  const [axes, steps] = [part('axes', 3) ?? [0], opset < 10 ? [1] : (part('steps', 4) ?? [1])];
  if (starts?.length !== 1 || ends?.length !== 1 || axes.length !== 1 || axisIn(step, axes[0]!, 1) !== 0) {
    throw badNode(node, `which slices from [${starts?.slice(0, 8)}] to [${ends?.slice(0, 8)}]`);
  }
  if (steps.length !== 1 || steps[0] !== 1) {
    throw unsupported(node, `its steps are [${steps.slice(0, 8)}]`, 'Only steps of 1 are supported.');
  }
  const data = from.data.slice(starts[0], ends[0]);
  return { ...from, name: node.outputs[0]!, shape: [data.length], data };
}

/** Ops that change shapes and orders, and those with which graphs compute shapes. */
export const shapes: Rules = {
  Reshape: { attributes: ['allowzero'], inputs: [2, 2], apply: reshape },
  Flatten: { attributes: ['axis'], inputs: [1, 1], apply: flatten },
  Transpose: { attributes: ['perm'], inputs: [1, 1], apply: transpose },
  Squeeze: { attributes: ['axes'], inputs: [1, 2], apply: squeeze },
  Unsqueeze: { attributes: ['axes'], inputs: [1, 2], apply: unsqueeze },
  Concat: { attributes: ['axis'], inputs: [1, 1000], apply: joined },
  Constant: {
    attributes: ['value', 'value_float', 'value_floats', 'value_int', 'value_ints'],
    inputs: [0, 0],
    apply: constant,
  },
  Shape: { attributes: ['start', 'end'], inputs: [1, 1], apply: shapeOf },
  Slice: { attributes: ['axes', 'ends', 'starts'], inputs: [1, 5], apply: slice },
  Gather: { attributes: ['axis'], inputs: [2, 2], apply: gather },
};
