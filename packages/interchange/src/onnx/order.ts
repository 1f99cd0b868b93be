/**
 * Where the elements of an ONNX value are in the model: `order[i]` is the position, in the model's flattened node, of element i of the
 * ONNX tensor in C order. `undefined` is the order 0, 1, 2, ...
 */
export type Order = Int32Array | undefined;

/** How many elements a shape has. */
export const countOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Whether two lists of numbers are the same. */
export const sameNumbers = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

/** Whether two orders are the same. */
export const sameOrder = (a: Order, b: Order): boolean =>
  a === b || (a !== undefined && b !== undefined && sameNumbers(a, b));

/** An order, or `undefined` where it changes nothing. */
export const simplified = (order: Int32Array): Order =>
  order.every((position, i) => position === i) ? undefined : order;

/** How far apart two elements are that differ by 1 along an axis, for each axis. */
const stridesOf = (shape: readonly number[]) => shape.map((_, axis) => countOf(shape.slice(axis + 1)));

/** The positions that counting through some axes visits, the last axis fastest. */
function positions(lengths: readonly number[], strides: readonly number[]): Int32Array {
  let visited = Int32Array.of(0);
  lengths.forEach((length, axis) => {
    const next = new Int32Array(visited.length * length);
    visited.forEach((position, i) => {
      for (let j = 0; j < length; j++) next[i * length + j] = position + j * strides[axis]!;
    });
    visited = next;
  });
  return visited;
}

/** For each element of a transposed tensor, in C order, the position that it has in the tensor before. */
export function transposedOrder(shape: readonly number[], perm: readonly number[]): Order {
  const strides = stridesOf(shape);
  return simplified(
    positions(
      perm.map((axis) => shape[axis]!),
      perm.map((axis) => strides[axis]!),
    ),
  );
}

/** Where the elements of ONNX's [channels, height, width] are in a model's [height, width, channels]. */
export const imageOrder = ([channels, height, width]: readonly [number, number, number]): Order =>
  transposedOrder([height, width, channels], [2, 0, 1]);

/** Where elements are that are first taken by one order and then by the order of what they were taken from. */
export function composed(taken: Order, from: Order): Order {
  if (taken === undefined) return from;
  if (from === undefined) return taken;
  return simplified(taken.map((position) => from[position]!));
}

/** All orders of the axes of a tensor but the one that changes nothing. */
export function permutations(rank: number): readonly (readonly number[])[] {
  const grow = (head: readonly number[]): (readonly number[])[] => {
    if (head.length === rank) return [head];
    return Array.from({ length: rank }, (_, axis) => axis)
      .filter((axis) => !head.includes(axis))
      .flatMap((axis) => grow([...head, axis]));
  };
  return grow([]).slice(1);
}

/** The order of axes that undoes another. */
export const inverse = (perm: readonly number[]): number[] => perm.map((_, axis) => perm.indexOf(axis));

/** The shape that two broadcast to, or undefined where they do not. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const [m, n] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (m !== n && m !== 1 && n !== 1) return undefined;
    shape.push(m === 1 ? n : m);
  }
  return shape;
}

/** For each element of a shape, in C order, the element of a smaller tensor that is broadcast to it. */
export function broadcastIndices(from: readonly number[], to: readonly number[]): Int32Array {
  const offset = to.length - from.length;
  const strides = stridesOf(from);
  return positions(
    to,
    to.map((_, axis) => (axis < offset || from[axis - offset] === 1 ? 0 : strides[axis - offset]!)),
  );
}
