import type { NodeOf, Shape } from '@cert/core';

/** Where each number of a node that only moves numbers comes from. */
export interface Moves {
  /** Which input, [elements of the output, row-major]. */
  readonly input: Int32Array;
  /** The place there. */
  readonly place: Int32Array;
}

/** @param shapes those of the inputs */
export const movesOf = (node: NodeOf<'transpose'> | NodeOf<'concat'>, shapes: readonly Shape[]): Moves =>
  node.op === 'transpose' ? permuted(shapes[0]!, node.attrs.perm) : joined(shapes, node.attrs.axis);

/** How far apart neighbours along each axis are. */
const stepsOf = (shape: Shape): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1));

/** One axis of the result after the other, the slowest first. */
function permuted(shape: Shape, perm: readonly number[]): Moves {
  const steps = stepsOf(shape);
  const place = perm.reduce<number[]>(
    (starts, axis) =>
      starts.flatMap((start) => Array.from({ length: shape[axis]! }, (_, k) => start + k * steps[axis]!)),
    [0],
  );
  return { input: new Int32Array(place.length), place: Int32Array.from(place) };
}

/** What lies behind the axis is a block; the inputs give one block each, in turns. */
function joined(shapes: readonly Shape[], axis: number): Moves {
  const blocks = shapes.map((shape) => shape[axis]! * stepsOf(shape)[axis]!);
  const turns = shapes[0]!.slice(0, axis).reduce((product, n) => product * n, 1);
  const from = Array.from({ length: turns }, (_, turn) =>
    blocks.flatMap((block, k) => Array.from({ length: block }, (_, i) => [k, turn * block + i] as const)),
  ).flat();
  return { input: Int32Array.from(from, ([k]) => k), place: Int32Array.from(from, ([, i]) => i) };
}
