/** How values of the model are stored in the ONNX graph: images with their channels in front, as the operators of ONNX take them. */
import type { Shape } from '@cert/core';
import { imageOrder, type Order } from '../onnx/order.js';
import type { GraphWriter } from './graph-writer.js';

/** A value of the ONNX graph that holds the output of a node. */
export interface Stored {
  /** Its name in the graph. */
  readonly name: string;
  /** The shape of the node in the model. */
  readonly shape: Shape;
  /**
   * The image [height, width, channels] whose channels come first in the graph: that of the node itself, stored as
   * [batch, channels, height, width], or the one that a vector was flattened from. Undefined where the order is that of the model.
   */
  readonly image: Shape | undefined;
}

const isImage = (shape: Shape): shape is readonly [number, number, number] => shape.length === 3;

/** Where the elements of a stored value are in the model's node. */
export const orderOf = ({ image }: Stored): Order =>
  image === undefined || !isImage(image) ? undefined : imageOrder([image[2], image[0], image[1]]);

/** The numbers of a tensor of the model, row-major, in the order of a stored value. */
export function inOrder(data: ArrayLike<number>, order: Order): Float32Array {
  const moved = new Float32Array(data.length);
  for (let i = 0; i < moved.length; i++) moved[i] = data[order === undefined ? i : order[i]!]!;
  return moved;
}

/** An image with its channels first. */
export function asImage(writer: GraphWriter, value: Stored): Stored {
  if (value.image !== undefined) return value;
  const name = writer.node('Transpose', [value.name], `${value.name}.channels_first`, { perm: [0, 3, 1, 2] });
  return { ...value, name, image: value.shape };
}

/** A value in the order of the model. */
export function asRows(writer: GraphWriter, value: Stored): Stored {
  const { name, shape, image } = value;
  if (image === undefined) return value;
  const [height, width, channels] = image as readonly [number, number, number];
  const isVector = shape.length === 1;
  const apart = isVector
    ? writer.node(
        'Reshape',
        [name, writer.integers(`${name}.image_shape`, [0, channels, height, width])],
        `${name}.image`,
      )
    : name;
  const moved = writer.node('Transpose', [apart], `${name}.channels_last`, { perm: [0, 2, 3, 1] });
  const flat = isVector ? writer.node('Flatten', [moved], `${name}.flat`, { axis: 1 }) : moved;
  return { name: flat, shape, image: undefined };
}
