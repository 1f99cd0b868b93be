import { type Model, sizeOf } from '@cert/core';
import { imageOrder } from '../onnx/order.js';
import type { ImageLayout } from './to-onnx.js';

/**
 * Returns the order of the inputs of an exported file: element `i` of the ONNX input, in C order, is element `order[i]` of the model's
 * input, row-major. `inputInFile` and `propertyInFile` take it.
 *
 * @param layout the layout that the file was exported with
 */
export function exportedInputOrder({ inputShape }: Pick<Model, 'inputShape'>, layout: ImageLayout): Int32Array {
  const [height, width, channels] = inputShape;
  const moved = inputShape.length === 3 && layout === 'nchw' ? imageOrder([channels!, height!, width!]) : undefined;
  return moved ?? Int32Array.from({ length: sizeOf(inputShape) }, (_, i) => i);
}
