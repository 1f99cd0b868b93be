import { reshape, type Shape, transpose } from '@cert/core';
import { zeroPadding } from '../graph/zero-padding.js';
import { unsupported } from './errors.js';
import type { Step } from './step.js';
import type { Value } from './value.js';

/** A value whose node has its shape. */
export const valueAt = (step: Step, node: string): Value => ({
  node,
  shape: step.shapeOf(node),
  channelsFirst: false,
});

/** A node [height, width, channels] as an image of a layer. */
export function imageAt(step: Step, node: string, channelsFirst: boolean): Value {
  if (!channelsFirst) return valueAt(step, node);
  const [height, width, channels] = step.shapeOf(node) as [number, number, number];
  return { node, shape: [channels, height, width], channelsFirst };
}

/** Refuses a softmax that other layers read. */
function checkNoSoftmax(step: Step, { softmax }: Value): void {
  if (softmax === undefined) return;
  throw unsupported(
    step.layer,
    `it reads the softmax of the layer "${softmax}"`,
    'Softmax is supported only at the end of the network.',
  );
}

/** The same value with its zeros in the model. */
export function solid(step: Step, value: Value): Value {
  checkNoSoftmax(step, value);
  const { zeros, ...rest } = value;
  if (zeros === undefined) return value;
  const { layer, params } = zeroPadding(step.shapeOf(value.node).at(-1)!, zeros);
  const node = step.place(layer, [value.node], '_zeros');
  step.setParams(node, params);
  return { ...rest, node };
}

/** The same value with a node of its shape. */
export function plain(step: Step, value: Value): Value {
  const { node, shape, channelsFirst } = solid(step, value);
  if (!channelsFirst) return { node, shape, channelsFirst };
  return { node: step.place(transpose([2, 0, 1]), [node], '_transpose'), shape, channelsFirst: false };
}

/** The same image with a node [height, width, channels]; `channelsFirst` says how the layer reads it. Its zeros stay. */
export function asImage(step: Step, value: Value, channelsFirst: boolean): Value {
  checkNoSoftmax(step, value);
  if (value.shape.length !== 3) {
    throw unsupported(
      step.layer,
      `its input has the shape [${value.shape}] without the batch`,
      'Only layers on images are supported here: [height, width, channels].',
    );
  }
  if (value.channelsFirst === channelsFirst) return value;
  const { node, shape } = plain(step, value);
  if (!channelsFirst) return { node, shape, channelsFirst };
  return { node: step.place(transpose([1, 2, 0]), [node], '_transpose'), shape, channelsFirst };
}

/** The same value as a node of another shape, row-major. */
export function reshaped(step: Step, value: Value, shape: Shape): Value {
  const { node } = plain(step, value);
  const same = step.shapeOf(node).join() === shape.join();
  return valueAt(step, same ? node : step.place(reshape(shape), [node], ''));
}
