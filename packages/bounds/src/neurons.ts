import {
  centerOf,
  INPUT,
  type IntervalTensor,
  type Model,
  type Shape,
  sizeOf,
  soundRadiusOf,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tf,
} from '@cert/core';
import { type BackwardSetting, type BackwardTable, lowerBound } from './backward.js';
import type { Line, Lines } from './lines.js';
import { type NodeWindow, type ReceptiveField, receptiveField } from './receptive-field.js';
import { type Rows, unitRows } from './rows.js';

/**
 * Where the neurons of one node are, and what a backward walk from them has to go through: for a node [height, width, channels] in front of
 * which there are convolutions alone, the receptive field of each place; else the whole network.
 */
export interface Neurons {
  /** The name of the node. */
  readonly node: string;
  /** How many places an example has: height times width, or 1. */
  readonly places: number;
  /** How many neurons there are at each place. Neuron k of place p is number p * perPlace + k of the node, row-major. */
  readonly perPlace: number;
  /** How many numbers the coefficients of one neuron are at each node of the walk, by its name, `input` included. */
  readonly sizes: ReadonlyMap<string, number>;
  /**
   * What a walk from some places depends on.
   *
   * @param setting of the whole network, with `lines`
   * @param places int32 [count, 3]: for each the example in the batch, the row and the column; row and column are 0 where there is one place
   * @returns a setting in which the places are the examples: rows on `node` have the shape [count, rows, ...shape]
   */
  at(setting: BackwardSetting, places: Tensor2D): BackwardSetting;
  /** The shape of the node at one place. */
  readonly shape: Shape;
}

/** The neurons of a node as a walk with these rules sees them. */
export function neuronsOf(table: BackwardTable, model: Model, node: string): Neurons {
  const field = receptiveField(table, model, node);
  const from = model.nodes.findIndex(({ name }) => name === node);
  const { shape } = model.nodes[from]!;
  const passed = field?.model ?? { inputShape: model.inputShape, nodes: model.nodes.slice(0, from + 1) };
  const sizes = new Map([
    [INPUT, sizeOf(passed.inputShape)],
    ...passed.nodes.map((one) => [one.name, sizeOf(one.shape)] as const),
  ]);
  if (field === undefined) {
    return {
      node,
      shape,
      sizes,
      places: 1,
      perPlace: sizeOf(shape),
      at: (setting, places) => examples(setting, places),
    };
  }
  const [height, width, channels] = shape as [number, number, number];
  return {
    ...{ node, shape: [1, 1, channels], sizes, places: height * width, perPlace: channels },
    at: (setting, places) => parts(setting, field, [height, width], places),
  };
}

/**
 * Lower bounds of chosen neurons and of their negatives: minus the latter are upper bounds.
 *
 * @param setting that of the places: {@link Neurons.at}
 * @param chosen int32 [examples * count]: `count` neurons of each example, 0 to perPlace - 1; or [count], the same for all
 * @param count how many of each example
 * @returns [examples, 2 * count], those of the neurons, then those of the negatives
 */
export const boundNeurons = (
  table: BackwardTable,
  setting: BackwardSetting,
  { node, shape }: Neurons,
  chosen: Tensor1D,
  count: number,
): Tensor => lowerBound(table, setting, node, bothSides(unitRows(chosen, shape), count));

/** Rows, and their negatives behind them: [images * 2 * count, ...shape]. */
function bothSides(rows: Tensor, count: number): Rows {
  const [n, ...shape] = rows.shape as [number, ...number[]];
  const apart = tf.reshape(rows, [n / count, count, ...shape]);
  return { coefficients: tf.reshape(tf.concat([apart, tf.neg(apart)], 1), [2 * n, ...shape]), count: 2 * count };
}

/** The setting of examples of a batch, in any order and any number of times. */
function examples({ network, box, at, lines = {} }: BackwardSetting, places: Tensor2D): BackwardSetting {
  const [count] = places.shape;
  // One example is the same for all.
  if (box.lower.shape[0] === 1 && count === 1) return { network, box, at, lines };
  const index = tf.reshape(tf.slice(places, [0, 0], [count, 1]), [count]);
  const pick = (x: Tensor) => tf.gather(x, index as Tensor1D);
  return {
    network,
    box: mapBox(box, pick),
    at: Object.fromEntries(Object.entries(at).map(([name, sides]) => [name, mapBox(sides, pick)])),
    lines: Object.fromEntries(Object.entries(lines).map(([name, own]) => [name, mapLines(own, pick)])),
  };
}

/** The setting of receptive fields. */
function parts(
  { network, box, lines = {} }: BackwardSetting,
  { model, windows }: ReceptiveField,
  room: readonly [number, number],
  places: Tensor2D,
): BackwardSetting {
  const cut = (name: string) => (x: Tensor) => cutOut(x, windows.get(name)!, room, places);
  const shapes = new Map(network.model.nodes.map(({ name, shape }) => [name, shape]));
  const local = model.nodes.flatMap(({ name, op, inputs }): [string, Lines][] => {
    if (op === 'inside') {
      const whole = shapes.get(inputs[0]!)!;
      const inside = cut(inputs[0]!)(tf.ones([box.lower.shape[0]!, ...whole]));
      return [[name, { lowerSlope: inside, upperSlope: inside }]];
    }
    const own = lines[name];
    return own === undefined ? [] : [[name, mapLines(own, cut(name))]];
  });
  return { network: { ...network, model }, box: mapBox(box, cut(INPUT)), at: {}, lines: Object.fromEntries(local) };
}

/**
 * Windows of images at places, with zeros outside of the images.
 *
 * @param x [images, height, width, channels]
 * @param room the height and width of the node whose places they are
 * @returns [places, ...window, channels]
 */
function cutOut(
  x: Tensor,
  { size, stride, offset }: NodeWindow,
  room: readonly [number, number],
  places: Tensor2D,
): Tensor {
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  const [count] = places.shape;
  const around = ([height, width] as const).map((extent, axis): [number, number] => {
    const last = (room[axis]! - 1) * stride[axis]! - offset[axis]! + size[axis]! - 1;
    return [Math.max(0, offset[axis]!), Math.max(0, last - (extent - 1))];
  }) as [[number, number], [number, number]];
  const [rows, columns] = [height + around[0][0] + around[0][1], width + around[1][0] + around[1][1]];
  const padded = tf.pad(x, [[0, 0], ...around, [0, 0]]);
  const column = (k: number) => tf.slice(places, [0, k], [count, 1]);
  const times = (k: number, factor: number) => tf.mul(column(k), tf.scalar(factor, 'int32'));
  const first = (around[0][0] - offset[0]) * columns + around[1][0] - offset[1];
  const corner = tf.add(tf.add(times(0, rows * columns), times(1, stride[0] * columns)), times(2, stride[1]));
  const within = Int32Array.from(
    { length: sizeOf(size) },
    (_, i) => first + Math.floor(i / size[1]) * columns + (i % size[1]),
  );
  const index = tf.add(corner, tf.tensor2d(within, [1, within.length], 'int32'));
  const flat = tf.gather(
    tf.reshape(padded, [images * rows * columns, channels]),
    tf.reshape(index, [count * within.length]) as Tensor1D,
  );
  return tf.reshape(flat, [count, ...size, channels]);
}

/** The box with its center and radius, so that what is left of an empty one stays empty. */
const mapBox = (box: IntervalTensor, f: (x: Tensor) => Tensor): IntervalTensor => ({
  lower: f(box.lower),
  upper: f(box.upper),
  center: f(centerOf(box)),
  radius: f(soundRadiusOf(box)),
  ...(box.ball && { ball: { ...box.ball, center: f(box.ball.center) } }),
});

const mapLine = ({ slope, intercept }: Line, f: (x: Tensor) => Tensor): Line => ({
  slope: f(slope),
  ...(intercept && { intercept: f(intercept) }),
});

/** Every tensor of the lines of a node by itself. */
const mapLines = (
  { lowerSlope, lowerIntercept, upperSlope, upperIntercept, family }: Lines,
  f: (x: Tensor) => Tensor,
): Lines => ({
  lowerSlope: f(lowerSlope),
  upperSlope: f(upperSlope),
  ...(lowerIntercept && { lowerIntercept: f(lowerIntercept) }),
  ...(upperIntercept && { upperIntercept: f(upperIntercept) }),
  ...(family && { family: [mapLine(family[0], f), mapLine(family[1], f)] }),
});
