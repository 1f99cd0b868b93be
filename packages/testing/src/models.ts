/** Small models on which the suites run a plug-in, with random parameters: every built-in op, and the author's own layers. */
import {
  add,
  affine,
  avgPool,
  type BatchNormStats,
  batchNorm,
  buildParams,
  CertError,
  concat,
  conv2d,
  createRng,
  dense,
  flatten,
  flattenTree,
  type GraphBuilder,
  globalAvgPool,
  graph,
  INPUT,
  type Layer,
  leakyRelu,
  type Model,
  type Moments,
  mapParams,
  maxPool,
  type Op,
  type Params,
  paramSpecs,
  type Rng,
  relu,
  reshape,
  type Shape,
  sequential,
  sigmoid,
  sizeOf,
  type Tensor,
  tanh,
  tf,
  transpose,
} from '@cert/core';

/** A model and what to call it in a message. */
export interface NamedModel {
  /** What messages call it. */
  readonly name: string;
  /** The graph. */
  readonly model: Model;
}

/** The ops that every bound method is expected to know. */
const COMMON: readonly Op[] = [
  'conv2d',
  'dense',
  'batchNorm',
  'relu',
  'add',
  'flatten',
  'globalAvgPool',
  'avgPool',
  'affine',
];

/** Built-in ops that bound methods can support: all except softmax. */
export const boundedOps: readonly Op[] = [
  ...COMMON,
  'maxPool',
  'leakyRelu',
  'sigmoid',
  'tanh',
  'reshape',
  'transpose',
  'concat',
];

/** Whether a net uses only some ops; default: those that every bound method is expected to know. */
export const usesOnly =
  (ops: readonly Op[] = COMMON) =>
  ({ model }: NamedModel): boolean =>
    model.nodes.every((node) => ops.includes(node.op));

/** Nets of windows that are not square, and of ops that not every method knows, for bound methods alone, as far as they use only `ops`. */
export function furtherModels(ops?: readonly Op[]): NamedModel[] {
  return [
    {
      name: 'windows',
      model: sequential(
        [4, 3, 2],
        [
          conv2d(2, { kernel: [2, 3], stride: [1, 2], padding: [0, 1, 2, 0], groups: 2, dilation: [2, 1] }),
          relu(),
          avgPool([2, 1], { stride: 1, padding: [1, 0, 0, 0] }),
          flatten(),
          dense(3),
        ],
      ),
    },
    {
      name: 'maxima',
      model: sequential(
        [4, 3, 1],
        [
          conv2d(2, { kernel: 2, padding: 0 }),
          maxPool(2, { stride: [2, 1], padding: [1, 0, 0, 1] }),
          leakyRelu(0.2),
          maxPool([2, 1]),
          flatten(),
          dense(3),
        ],
      ),
    },
    { name: 'smooth', model: sequential([3], [dense(4), sigmoid(), dense(4), tanh(), dense(3)]) },
    { name: 'moved', model: moved() },
  ].filter(usesOnly(ops));
}

function moved(): Model {
  const g = graph([3, 2, 1]);
  const branch = g.add(relu(), [g.add(conv2d(1))]);
  g.add(concat(2, 3), [branch, INPUT, branch]);
  g.add(transpose([2, 0, 1]));
  const size = 3 * 2 * 3;
  g.add(
    affine(
      Array.from({ length: size }, (_, i) => 0.5 * ((i % 5) - 2)),
      Array.from({ length: size }, (_, i) => 0.1 * (i % 7)),
    ),
  );
  g.add(reshape([9, 2]));
  g.add(relu());
  g.add(flatten());
  g.add(dense(3));
  return g.build();
}

/** The nets that every bound method is run on, as far as they use only `ops`. */
export function sampleModels(ops?: readonly Op[]): NamedModel[] {
  return [
    { name: 'mlp', model: sequential([5], [dense(7), relu(), dense(6), relu(), dense(4)]) },
    {
      name: 'conv',
      model: sequential(
        [5, 5, 2],
        [
          conv2d(3, { stride: 2 }),
          batchNorm(),
          relu(),
          conv2d(4, { kernel: 2, padding: 0 }),
          relu(),
          flatten(),
          dense(5),
          batchNorm(),
          relu(),
          dense(3),
        ],
      ),
    },
    { name: 'residual', model: residual() },
    {
      name: 'pooled',
      model: sequential(
        [4, 4, 2],
        [
          affine([2, -1.5], [-0.5, 0.25]),
          conv2d(4, { groups: 2 }),
          avgPool(2),
          relu(),
          conv2d(3, { kernel: 1, padding: 0 }),
          globalAvgPool(),
        ],
      ),
    },
  ].filter(usesOnly(ops));
}

function residual(): Model {
  const g = graph([4, 4, 2]);
  const stem = g.add(conv2d(3));
  g.add(batchNorm());
  g.add(relu());
  g.add(conv2d(3));
  const branch = g.add(batchNorm());
  const shortcut = g.add(conv2d(3, { kernel: 1, padding: 0 }), [stem]);
  g.add(add(), [branch, shortcut]);
  g.add(relu());
  g.add(globalAvgPool());
  g.add(dense(3));
  return g.build();
}

/**
 * A small model around a layer: affine, the layer, affine; once for vectors and once for images, as far as it fits.
 *
 * @throws CertError `bad-argument` when it fits neither
 */
export function modelsAround(layer: Layer): NamedModel[] {
  const reasons: string[] = [];
  const models = [
    { kind: 'vectors', shape: [4] as Shape, before: (g: GraphBuilder) => g.add(dense(6), [INPUT]) },
    { kind: 'images', shape: [4, 4, 2] as Shape, before: (g: GraphBuilder) => g.add(conv2d(4), [INPUT]) },
  ].flatMap(({ kind, shape, before }): NamedModel[] => {
    const g = graph(shape);
    const inputs = Array.from({ length: layer.arity ?? 1 }, () => before(g));
    const inferred = layer.infer(...inputs.map((name) => g.shapeOf(name)));
    if (typeof inferred === 'string') {
      reasons.push(inferred);
      return [];
    }
    const node = g.add(layer, inputs);
    if (g.shapeOf(node).length !== 1) g.add(flatten());
    g.add(dense(3));
    return [{ name: `${layer.op} on ${kind}`, model: g.build() }];
  });
  if (models.length > 0) return models;
  throw new CertError(
    'bad-argument',
    `The layer "${layer.op}" accepts neither vectors of 6 nor images of 4x4x4: ${reasons.join('; ')}.`,
    'Give the suite a layer that accepts one of these shapes.',
  );
}

/** What a model is run with. All tensors are the caller's to free with {@link disposeSample}. */
export interface Sample {
  readonly params: Params;
  readonly norm: BatchNormStats;
}

/** Random parameters, about half of them negative (batch normalization scales too), and random statistics. */
export function drawSample(model: Model, rng: Rng): Sample {
  const fill = (shape: Shape, draw: () => number): Tensor =>
    tf.tensor(Float32Array.from({ length: sizeOf(shape) }, draw), [...shape]);
  const norm: { [node: string]: Moments } = {};
  for (const node of model.nodes) {
    if (node.op !== 'batchNorm') continue;
    norm[node.name] = {
      mean: fill(node.stats.mean, () => 0.3 * rng.normal()),
      variance: fill(node.stats.variance, () => 0.4 + rng.uniform()),
    };
  }
  const params = buildParams(paramSpecs(model), ({ shape }) => {
    const fanIn = sizeOf(shape.slice(0, -1));
    // Vectors are biases and scales: away from 0, either sign. Kernels keep the variance of what passes through.
    return fill(shape, () =>
      shape.length > 1
        ? rng.normal() * Math.sqrt(2 / fanIn)
        : (rng.uniform() < 0.5 ? -1 : 1) * (0.1 + 0.9 * rng.uniform()),
    );
  });
  return { params, norm };
}

/** The tensors of a sample as a list, and back: `rebuild` makes the same structure of other tensors. */
export function leavesOf({ params, norm }: Sample): {
  readonly names: string[];
  readonly tensors: Tensor[];
  rebuild(tensors: readonly Tensor[]): Sample;
} {
  const leaves = [...flattenTree<Tensor>(params), ...flattenTree<Tensor>(norm)];
  return {
    names: leaves.map(({ path }) => path),
    tensors: leaves.map(({ value }) => value),
    rebuild(tensors) {
      const from = new Map(leaves.map(({ value }, i) => [value, tensors[i]!]));
      const moments = Object.entries(norm).map(([node, { mean, variance }]): [string, Moments] => [
        node,
        { mean: from.get(mean)!, variance: from.get(variance)! },
      ]);
      return { params: mapParams((tensor) => from.get(tensor)!, params), norm: Object.fromEntries(moments) };
    },
  };
}

/** Frees what {@link drawSample} made. */
export const disposeSample = ({ params, norm }: Sample): void =>
  tf.dispose([...Object.values(params), ...Object.values(norm)].flatMap((group) => Object.values(group)));

/** Images with values in [0, 1). */
export function drawImages(model: Model, batch: number, rng: Rng): Tensor {
  const shape = [batch, ...model.inputShape];
  return tf.tensor(
    Float32Array.from({ length: sizeOf(shape) }, () => rng.uniform()),
    shape,
  );
}

/** A stream of random numbers for one case of a suite. */
export const rngFor = (seed: number, ...labels: readonly string[]): Rng => createRng(seed, 'conformance', ...labels);
