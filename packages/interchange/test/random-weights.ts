import {
  createRng,
  filledTensor,
  type HostTensor,
  type Model,
  paramSpecs,
  type Shape,
  sizeOf,
  statSpecs,
} from '@cert/core';

/** A network with weights that make every mistake show: no two numbers are equal, no bias is zero, no scale is one. */
export function withRandomWeights(model: Model, seed = 'weights') {
  const rng = createRng(0, seed);
  const uniform = (shape: Shape, lower: number, upper: number): HostTensor => ({
    ...filledTensor(shape, 0),
    data: Float32Array.from({ length: sizeOf(shape) }, () => lower + (upper - lower) * rng.uniform()),
  });
  const tree = (specs: ReturnType<typeof paramSpecs>) => {
    const made: { [node: string]: { [name: string]: HostTensor } } = {};
    for (const { node, name, shape } of specs) {
      const wide = name === 'kernel' ? Math.sqrt(3 / sizeOf(shape.slice(0, -1))) : 0.5;
      const positive = name === 'gamma' || name === 'variance';
      made[node] = { ...made[node], [name]: positive ? uniform(shape, 0.5, 1.5) : uniform(shape, -wide, wide) };
    }
    return made;
  };
  return { model, params: tree(paramSpecs(model)), stats: tree(statSpecs(model)) };
}
