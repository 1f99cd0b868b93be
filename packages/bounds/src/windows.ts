/** Windows of a pooling as plain tensor functions that move numbers and compute none. */
import { placesOf, type Shape, sizeOf, type Tensor, tf, type Window } from '@cert/core';

/** Where the elements of a window are, row by row: offsets from its corner. */
function offsetsOf({ size, dilation }: Window): readonly (readonly [number, number])[] {
  const [high, wide] = size;
  return Array.from({ length: high * wide }, (_, k) => [Math.floor(k / wide) * dilation[0], (k % wide) * dilation[1]]);
}

/** The height and width of an image with padding, and with what strides beyond its end take up. */
function roomFor(window: Window, [height, width]: Shape): { padded: [number, number]; room: [number, number] } {
  const [top, bottom, left, right] = window.padding;
  const padded: [number, number] = [height! + top + bottom, width! + left + right];
  const places = placesOf(window, [height!, width!]);
  const last = offsetsOf(window).at(-1)!;
  const room = ([0, 1] as const).map((i) => Math.max(padded[i], last[i] + places[i] * window.stride[i]));
  return { padded, room: room as [number, number] };
}

/** Space around an image [n, h, w, c]. */
const around = (x: Tensor, [top, bottom, left, right]: readonly number[], value = 0): Tensor =>
  [top, bottom, left, right].every((n) => n === 0)
    ? x
    : tf.pad(x, [[0, 0], [top!, bottom!], [left!, right!], [0, 0]], value); // biome-ignore format: one line a shape

/**
 * The elements of all windows of an image: for each element of a window, row by row, the pixels that it sees.
 *
 * @param x [n, height, width, channels]
 * @param padding the value of padded places
 * @returns as many as a window has elements, each [n, height', width', channels]
 */
export function windowElements(window: Window, x: Tensor, padding: number): Tensor[] {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const [rows, columns] = placesOf(window, [h, w]);
  const [down, across] = window.stride;
  const [top, , left] = window.padding;
  // TensorFlow.js cannot cut all that is empty.
  if (n === 0) return offsetsOf(window).map(() => tf.zeros([0, rows, columns, c]));
  const { room } = roomFor(window, [h, w]);
  const image = around(x, [top, room[0] - h - top, left, room[1] - w - left], padding);
  return offsetsOf(window).map(([y, xx]) => {
    const seen = tf.slice(image, [0, y, xx, 0], [n, rows * down, columns * across, c]);
    if (down === 1 && across === 1) return seen;
    const apart = tf.reshape(seen, [n, rows, down, columns, across * c]);
    return tf.reshape(tf.slice(apart, [0, 0, 0, 0, 0], [n, rows, 1, columns, c]), [n, rows, columns, c]);
  });
}

/**
 * The transpose of {@link windowElements} with a padding of 0: numbers on the elements of all windows, added up at the pixels that they see.
 *
 * @param parts as {@link windowElements} returns them
 * @param input the shape of the image, [height, width, channels]
 * @returns [n, height, width, channels]
 */
export function addAtWindows(window: Window, parts: readonly Tensor[], input: Shape): Tensor {
  const [h, w, c] = input as [number, number, number];
  const [n, rows, columns] = parts[0]!.shape as [number, number, number, number];
  const [down, across] = window.stride;
  const [top, , left] = window.padding;
  if (n === 0) return tf.zeros([0, h, w, c]);
  const { room } = roomFor(window, input);
  const places = offsetsOf(window).map(([y, x], k) => {
    let part = parts[k]!;
    if (down > 1 || across > 1) {
      const apart = tf.reshape(part, [n, rows, 1, columns, c]);
      const gaps: [number, number][] = [[0, 0], [0, 0], [0, down - 1], [0, 0], [0, (across - 1) * c]]; // biome-ignore format: one line a shape
      part = tf.reshape(tf.pad(apart, gaps), [n, rows * down, columns * across, c]);
    }
    return around(part, [y, room[0] - y - rows * down, x, room[1] - x - columns * across]);
  });
  const sum = places.reduce((a, b) => tf.add(a, b));
  return room[0] === h && room[1] === w ? sum : tf.slice(sum, [0, top, left, 0], [n, h, w, c]);
}

/** How many pixels of an image [height, width, ...] each window sees, padding left out: [height', width', 1]. */
export function pixelsSeen(window: Window, input: Shape): Float32Array {
  const [rows, columns] = placesOf(window, input);
  const inside = (start: number, axis: 0 | 1) =>
    Array.from({ length: window.size[axis] }, (_, k) => start + k * window.dilation[axis]).filter(
      (at) => at >= 0 && at < input[axis]!,
    ).length;
  return Float32Array.from({ length: sizeOf([rows, columns]) }, (_, i) => {
    const [y, x] = [Math.floor(i / columns), i % columns];
    return inside(y * window.stride[0] - window.padding[0], 0) * inside(x * window.stride[1] - window.padding[2], 1);
  });
}
