/** Bounds of all sorts, made without a bound method, for suites that take bounds. */
import {
  type Bounds,
  fromBounds,
  fromCenterRadius,
  INPUT,
  type IntervalTensor,
  type Model,
  type Rng,
  type Shape,
  sizeOf,
  type Tensor,
  tf,
} from '@cert/core';

/** A way to make bounds: the center and radius of one neuron. */
export interface Scenario {
  readonly name: string;
  neuron(rng: Rng): { readonly center: number; readonly radius: number };
  /** Whether differences of float32 values can measure a gradient here. */
  readonly smooth: boolean;
}

const spread = (rng: Rng) => 0.1 + rng.uniform();

/** What a regularizer meets in training, and at its edges. */
export const scenarios: readonly Scenario[] = [
  { name: 'mixed neurons', smooth: true, neuron: (rng) => ({ center: 2 * rng.normal(), radius: spread(rng) }) },
  { name: 'no inactive neuron', smooth: true, neuron: (rng) => ({ center: 2 * rng.uniform(), radius: spread(rng) }) },
  { name: 'every neuron active', smooth: true, neuron: (rng) => ({ center: 2 + rng.uniform(), radius: spread(rng) }) },
  {
    name: 'every neuron inactive',
    smooth: true,
    neuron: (rng) => ({ center: -2 - rng.uniform(), radius: spread(rng) }),
  },
  {
    name: 'every neuron unstable',
    smooth: true,
    neuron: (rng) => ({ center: 0.5 * (rng.uniform() - 0.5), radius: 0.3 + rng.uniform() }),
  },
  { name: 'zero width', smooth: false, neuron: (rng) => ({ center: rng.normal(), radius: 0 }) },
  { name: 'all zeros', smooth: false, neuron: () => ({ center: 0, radius: 0 }) },
  { name: 'tiny widths', smooth: false, neuron: (rng) => ({ center: rng.normal(), radius: 1e-6 * spread(rng) }) },
  { name: 'huge widths', smooth: false, neuron: (rng) => ({ center: rng.normal(), radius: 1e6 * spread(rng) }) },
  { name: 'huge centers', smooth: false, neuron: (rng) => ({ center: 1e6 * rng.normal(), radius: spread(rng) }) },
];

/** The box of the inputs and bounds at every node, drawn neuron by neuron. Free with `tf.dispose`. */
export type DrawnBounds = { readonly input: IntervalTensor; readonly bounds: Bounds };

/** Draws bounds for a model and a batch size; lower and upper alone. */
export function drawBounds(model: Model, batch: number, { neuron }: Scenario, rng: Rng): DrawnBounds {
  const draw = (shape: Shape): IntervalTensor => {
    const full = [batch, ...shape];
    const neurons = Array.from({ length: sizeOf(full) }, () => neuron(rng));
    const side = (sign: number) =>
      tf.tensor(
        neurons.map(({ center, radius }) => center + sign * radius),
        full,
      );
    return fromBounds(side(-1), side(1));
  };
  const input = draw(model.inputShape);
  const at: { [node: string]: IntervalTensor } = { [INPUT]: input };
  for (const node of model.nodes.slice(0, -1)) at[node.name] = draw(node.shape);
  return { input, bounds: { output: draw([model.classes]), at } };
}

/** The same bounds with other tensors, in the order of {@link tensorsOf}. */
export function withTensors({ bounds }: DrawnBounds, tensors: readonly Tensor[]): DrawnBounds {
  const box = (i: number) => fromBounds(tensors[2 * i]!, tensors[2 * i + 1]!);
  const at = Object.fromEntries(Object.keys(bounds.at).map((node, i) => [node, box(i)]));
  return { input: at[INPUT]!, bounds: { at, output: box(Object.keys(at).length) } };
}

/** Lower and upper of every node, the output last; `input` is among the nodes. */
export const tensorsOf = ({ bounds }: DrawnBounds): Tensor[] =>
  [...Object.values(bounds.at), bounds.output].flatMap(({ lower, upper }) => [lower, upper]);

/** What {@link tensorsOf} lists, in words. */
export const namesOf = ({ bounds }: DrawnBounds): string[] =>
  [...Object.keys(bounds.at), 'the output'].flatMap((node) => [`the lower bounds at ${node}`, `the upper at ${node}`]);

/** The same bounds as intervals that carry center and radius too. */
export function inCenterRadius(drawn: DrawnBounds): DrawnBounds {
  const convert = ({ lower, upper }: IntervalTensor) =>
    fromCenterRadius(tf.mul(tf.add(lower, upper), 0.5), tf.mul(tf.sub(upper, lower), 0.5));
  const at = Object.fromEntries(Object.entries(drawn.bounds.at).map(([node, box]) => [node, convert(box)]));
  return { input: at[INPUT]!, bounds: { at, output: convert(drawn.bounds.output) } };
}
