import { type Shape, sizeOf } from '@cert/core';

/** Whether the pixels of an image are the inputs of a network, in the same order. Colours in a row might be ordered in two ways. */
export const fits = (image: Shape, input: Shape): boolean =>
  sizeOf(image) === sizeOf(input) && (image.join() === input.join() || image.length === 1 || image.at(-1) === 1);
