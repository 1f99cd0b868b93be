/** Windows of convolutions and poolings as files describe them. */

/** A pair, height first. */
export type Pair = readonly [number, number];

/** How far a window reaches. */
export const reach = (size: number, dilation: number): number => dilation * (size - 1) + 1;

/**
 * The padding `same` along one axis: as many places as strides begin in the image. Where it is odd, the end has one more.
 *
 * @param length of the image along the axis
 * @param covered by a window, see {@link reach}
 */
export function samePadding(length: number, stride: number, covered: number): Pair {
  const places = Math.ceil(length / stride);
  const total = Math.max(0, (places - 1) * stride + covered - length);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** A list whose numbers are all the same as one number, which core reads as the same. */
export const compact = <T extends readonly number[]>(list: T): T | number =>
  list.every((n) => n === list[0]) ? list[0]! : list;
