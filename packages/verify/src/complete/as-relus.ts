import {
  add,
  affine,
  conv2d,
  type GraphBuilder,
  graph,
  type HostTensor,
  type Layer,
  type Model,
  type NodeOf,
  relu,
  sizeOf,
  windowOf,
} from '@cert/core';
import type { HostNetwork } from './host-network.js';

/**
 * The same function over the real numbers with ReLUs in place of maxima and leaky ReLUs, so that a search can split on them:
 * max(a, b) = b + relu(a - b), leaky(x) = slope x + (1 - slope) relu(x). A maximum over padded windows stays as it is unless a ReLU
 * feeds it: places outside of the image never win, and zeros could.
 */
export function asRelus(network: HostNetwork): HostNetwork {
  const { model, params, stats } = network;
  if (!model.nodes.some(({ op }) => op === 'maxPool' || op === 'leakyRelu')) return network;
  const builder = graph(model.inputShape);
  const added: { [node: string]: { [name: string]: HostTensor } } = {};
  for (const node of model.nodes) {
    if (node.op === 'leakyRelu') unfoldLeaky(builder, node);
    else if (node.op === 'maxPool' && canUnfold(model, node)) unfoldMaximum(builder, node, added);
    else builder.add(layerOf(node), node.inputs, node.name);
  }
  return { model: { ...builder.build(), classes: model.classes }, params: { ...params, ...added }, stats };
}

/** A node as the layer that makes it again. */
const layerOf = (node: Model['nodes'][number]): Layer => {
  const { op, attrs, shape, params, stats, inputs } = node;
  return { op, attrs, arity: inputs.length, infer: () => ({ shape, params, stats }) } as Layer;
};

function unfoldLeaky(builder: GraphBuilder, { name, inputs, attrs, shape }: NodeOf<'leakyRelu'>): void {
  const channels = shape.at(-1)!;
  const times = (factor: number) => affine(Array(channels).fill(factor), Array(channels).fill(0));
  const positive = builder.add(relu(), inputs, `${name}.relu`);
  const scaled = builder.add(times(1 - attrs.slope), [positive], `${name}.part`);
  const rest = builder.add(times(attrs.slope), inputs, `${name}.rest`);
  builder.add(add(), [scaled, rest], name);
}

const canUnfold = (model: Model, node: NodeOf<'maxPool'>): boolean =>
  windowOf(node).padding.every((places) => places === 0) ||
  model.nodes.find(({ name }) => name === node.inputs[0])?.op === 'relu';

/** Rounds of a tournament: pairs of candidates, the winner stays. Candidates of all pixels lie side by side as channels. */
function unfoldMaximum(
  builder: GraphBuilder,
  node: NodeOf<'maxPool'>,
  params: { [node: string]: { [name: string]: HostTensor } },
): void {
  const { size, stride, padding, dilation } = windowOf(node);
  const [height, width] = size;
  const channels = node.shape.at(-1)!;
  const places = Array.from({ length: height * width }, (_, i) => i);
  /** A layer that makes channel c of pair p from a weighted sum of the places of channel c. */
  const pick = (
    name: string,
    input: string,
    pairs: readonly (readonly [number, number | undefined])[],
    weights: (pair: readonly [number, number | undefined]) => readonly (readonly [number, number])[],
    window: 'window' | 'channels',
  ): string => {
    const filters = pairs.length * channels;
    const inside = window === 'window' ? channels : builder.shapeOf(input).at(-1)!;
    const shape = window === 'window' ? [height, width, inside, filters] : [1, 1, inside, filters];
    const data = new Float32Array(sizeOf(shape));
    pairs.forEach((pair, p) => {
      for (const [place, weight] of weights(pair)) {
        for (let c = 0; c < channels; c++) {
          // Places of a window and candidates of a round both lie in front of the channels.
          data[(place * channels + c) * filters + p * channels + c] = weight;
        }
      }
    });
    params[name] = {
      kernel: { shape, data },
      bias: { shape: [filters], data: new Float32Array(filters) },
    };
    const layer =
      window === 'window'
        ? conv2d(filters, { kernel: [height, width], stride, padding, dilation })
        : conv2d(filters, { kernel: 1, padding: 0 });
    return builder.add(layer, [input], name);
  };
  let [candidates, input, window]: [readonly number[], string, 'window' | 'channels'] = [
    places,
    node.inputs[0]!,
    'window',
  ];
  for (let round = 1; ; round++) {
    const pairs = Array.from(
      { length: Math.ceil(candidates.length / 2) },
      (_, p) => [candidates[2 * p]!, candidates[2 * p + 1]] as const,
    );
    const name = `${node.name}.round${round}`;
    const second = ([a, b]: readonly [number, number | undefined]) => [[b ?? a, 1]] as const;
    const difference = ([a, b]: readonly [number, number | undefined]) =>
      b === undefined
        ? []
        : ([
            [a, 1],
            [b, -1],
          ] as const);
    const ahead = pick(`${name}.difference`, input, pairs, difference, window);
    const base = pick(`${name}.second`, input, pairs, second, window);
    const gain = builder.add(relu(), [ahead], `${name}.relu`);
    input = builder.add(add(), [base, gain], pairs.length === 1 ? node.name : name);
    if (pairs.length === 1) return;
    [candidates, window] = [pairs.map((_, p) => p), 'channels'];
  }
}
