import { CertError } from './errors.js';
import type { Extent, Padding } from './extent.js';

/** The shape of one example or one parameter, without the batch axis. Images are [height, width, channels]. */
export type Shape = readonly number[];

/** Returns the number of elements of a shape: the product of its axes, 1 for a scalar. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);

/** Signature of an op: attributes, and names of parameters and running statistics. */
export interface OpSignature {
  /** Attributes of a node; must be JSON-serializable. */
  readonly attrs: object;
  /** The names of its trainable tensors, as a union; `never` for none. */
  readonly params: string;
  /** The names of its running statistics, as a union; `never` for none. */
  readonly stats: string;
}

/**
 * The ops known to the type system. A plug-in adds ops by declaration merging:
 * `declare module '@cert/core' { interface OpMap { gelu: { attrs: {}; params: never; stats: never } } }`.
 */
export interface OpMap {
  /**
   * Convolution of [H, W, C] with a kernel [kernel height, kernel width, C / groups, F] and bias [F]; `padding` zeros on every side, or
   * on [top, bottom, left, right]; `dilation` is 1 if omitted.
   */
  conv2d: {
    attrs: {
      readonly stride: Extent;
      readonly padding: Padding;
      readonly groups: number;
      readonly dilation?: Extent;
    };
    params: 'kernel' | 'bias';
    stats: never;
  };
  /** Affine map of [in] with kernel [in, out] and bias [out]. */
  dense: { attrs: object; params: 'kernel' | 'bias'; stats: never };
  /** Batch normalization over all axes but the last; `momentum` is the weight of the new batch in the running statistics. */
  batchNorm: {
    attrs: { readonly momentum: number; readonly epsilon: number };
    params: 'gamma' | 'beta';
    stats: 'mean' | 'variance';
  };
  /** max(x, 0), any shape. */
  relu: { attrs: object; params: never; stats: never };
  /** Sum of two nodes of equal shape (residual connection). */
  add: { attrs: object; params: never; stats: never };
  /** Row-major [H, W, C] to [H * W * C]. */
  flatten: { attrs: object; params: never; stats: never };
  /** Mean over height and width: [H, W, C] to [C]. */
  globalAvgPool: { attrs: object; params: never; stats: never };
  /**
   * Mean over windows of `size`; stride defaults to `size`, padding to 0. Padding counts as zeros with `countPadding`, and is ignored
   * otherwise.
   */
  avgPool: {
    attrs: {
      readonly size: Extent;
      readonly stride?: Extent;
      readonly padding?: Padding;
      readonly countPadding?: boolean;
    };
    params: never;
    stats: never;
  };
  /** Maximum over windows of `size`; stride defaults to `size`, padding to 0. Padding is never the maximum. */
  maxPool: {
    attrs: { readonly size: Extent; readonly stride?: Extent; readonly padding?: Padding };
    params: never;
    stats: never;
  };
  /** x where x >= 0, `slope` x elsewhere; 0 <= slope < 1. */
  leakyRelu: { attrs: { readonly slope: number }; params: never; stats: never };
  /** 1 / (1 + exp(-x)), any shape. */
  sigmoid: { attrs: object; params: never; stats: never };
  /** The hyperbolic tangent, any shape. */
  tanh: { attrs: object; params: never; stats: never };
  /** exp(x) / sum of exp(x) over the last axis. Bound methods do not support softmax. */
  softmax: { attrs: object; params: never; stats: never };
  /** Reshape, row-major. */
  reshape: { attrs: { readonly shape: Shape }; params: never; stats: never };
  /** Permutation of axes: output axis i is input axis `perm[i]`; axes count from 0 without the batch. */
  transpose: { attrs: { readonly perm: readonly number[] }; params: never; stats: never };
  /** Concatenation of two or more nodes along an axis, which counts from 0 without the batch. */
  concat: { attrs: { readonly axis: number }; params: never; stats: never };
  /** x * scale + shift with constants, one pair per channel (input normalization) or one pair per element, row-major. */
  affine: {
    attrs: { readonly scale: readonly number[]; readonly shift: readonly number[] };
    params: never;
    stats: never;
  };
}

/** Name of an op: a key of {@link OpMap}, including plug-in ops. */
export type Op = keyof OpMap;

/**
 * A node of a model graph, with output shape and the shapes of parameters and statistics, so that initializers, checkpoints and summaries
 * work for any op.
 */
export interface NodeOf<K extends Op> {
  /** Unique in the model; the key of its parameters and statistics. */
  readonly name: string;
  /** The op. */
  readonly op: K;
  /** Names of earlier nodes, or `input`. */
  readonly inputs: readonly string[];
  /** Attributes of the op, such as a stride. */
  readonly attrs: OpMap[K]['attrs'];
  /** Shape of the output, without the batch axis. */
  readonly shape: Shape;
  /** Shapes of the trainable tensors, by name. */
  readonly params: { readonly [P in OpMap[K]['params']]: Shape };
  /** Shapes of the running statistics, by name. */
  readonly stats: { readonly [S in OpMap[K]['stats']]: Shape };
}

/** A node of any op; switching on `op` narrows it. */
export type Node = { [K in Op]: NodeOf<K> }[Op];

/** A classifier as data: nodes in topological order; the last one computes the logits. JSON-serializable. */
export interface Model {
  /** One example: [height, width, channels] or [features]. */
  readonly inputShape: Shape;
  /** Number of logits; 1 for a regression, whose output is the prediction. */
  readonly classes: number;
  /** Nodes in topological order. */
  readonly nodes: readonly Node[];
}

/** Whether a value is a non-empty list of positive integers. */
export const isShape = (s: unknown): s is Shape =>
  Array.isArray(s) && s.length > 0 && s.every((n) => Number.isInteger(n) && n > 0);

/** The name by which nodes refer to the model's input. */
export const INPUT = 'input';

/** An op with attributes and a shape rule: returned by `conv2d(...)`, `dense(...)` etc., taken by {@link GraphBuilder.add}. */
export interface Layer<K extends Op = Op> {
  /** The op. */
  readonly op: K;
  /** Attributes of the node. */
  readonly attrs: OpMap[K]['attrs'];
  /** Number of inputs; default 1. */
  readonly arity?: number;
  /** Returns the output shape and the shapes of parameters and statistics, or a string that says why the input shapes do not fit. */
  infer(...inputs: Shape[]): string | { [P in K]: Pick<NodeOf<P>, 'shape' | 'params' | 'stats'> }[K];
}

/** Builds a model node by node. `add` infers the shape immediately, so errors name the node that does not fit. */
export interface GraphBuilder {
  /**
   * Adds a node and returns its name.
   *
   * @param inputs names of nodes added before, or `input`; default the node added last
   * @param name default: op name with a number, such as `conv2d1`
   * @throws CertError `bad-model` with the node's name: input shapes that do not fit, an unknown input, a duplicate name
   */
  add<K extends Op>(layer: Layer<K>, inputs?: readonly string[], name?: string): string;
  /**
   * The output shape of a node, or of `input`.
   *
   * @throws CertError `bad-model` for an unknown name
   */
  shapeOf(name: string): Shape;
  /**
   * The finished model.
   *
   * @param output the node that computes the logits: nodes that it does not depend on are left out. Default: the node added last, and all nodes
   * @throws CertError `bad-model` unless that node has a shape [classes]
   */
  build(output?: string): Model;
}

/**
 * Starts a model graph.
 *
 * @param inputShape one example: [height, width, channels] or [features]
 * @throws CertError `bad-model` for an input shape that is not a list of positive integers
 */
export function graph(inputShape: Shape): GraphBuilder {
  if (!isShape(inputShape)) {
    throw new CertError(
      'bad-model',
      `The input shape is [${inputShape}].`,
      'Give the shape of one example, such as [28, 28, 1].',
    );
  }
  const nodes: Node[] = [];
  const shapes = new Map<string, Shape>([[INPUT, inputShape]]);
  const counts = new Map<string, number>();

  const shapeOf = (name: string, asked = 'shapeOf'): Shape => {
    const shape = shapes.get(name);
    if (shape !== undefined) return shape;
    throw new CertError(
      'bad-model',
      `${asked}: node "${name}" does not exist.`,
      `Add the inputs of a node before the node. Nodes so far: ${[...shapes.keys()].join(', ')}.`,
    );
  };

  return {
    shapeOf,
    add(layer, inputs = [nodes.at(-1)?.name ?? INPUT], name) {
      const count = (counts.get(layer.op) ?? 0) + 1;
      counts.set(layer.op, count);
      const id = name ?? `${layer.op}${count}`;
      if (shapes.has(id)) {
        throw new CertError('bad-model', `Two nodes have the name "${id}".`, 'Give every node a unique name.');
      }
      const arity = layer.arity ?? 1;
      const inputShapes = inputs.map((input) => shapeOf(input, `Node "${id}" (${layer.op})`));
      const asked =
        inputs.length === arity ? layer.infer(...inputShapes) : `it takes ${arity} inputs but got ${inputs.length}`;
      // Sizes such as dense(0) or a stride of 0 show in the shape that they lead to.
      const inferred =
        typeof asked === 'string' || isShape(asked.shape) ? asked : `its output would have the shape [${asked.shape}]`;
      if (typeof inferred === 'string') {
        throw new CertError(
          'bad-model',
          `Node "${id}" (${layer.op}) does not fit its inputs of shapes ${inputShapes.map((s) => `[${s}]`).join(', ')}: ${inferred}.`,
          'Change the layer or its inputs.',
        );
      }
      nodes.push({ name: id, op: layer.op, inputs, attrs: layer.attrs, ...inferred } as Node);
      shapes.set(id, inferred.shape);
      return id;
    },
    build(output) {
      const kept = output === undefined ? nodes : nodesBehind(nodes, output);
      const last = kept.at(-1);
      if (last === undefined || last.shape.length !== 1) {
        throw new CertError(
          'bad-model',
          `The last node has the shape [${last?.shape ?? ''}].`,
          'The last node of a classifier must have the shape [classes]: add flatten() and dense(classes).',
        );
      }
      return { inputShape, classes: last.shape[0]!, nodes: kept };
    },
  };
}

/** The nodes that a node depends on, itself last. */
function nodesBehind(nodes: readonly Node[], output: string): Node[] {
  const needed = new Set([output]);
  const behind = nodes.toReversed().filter(({ name, inputs }) => {
    if (needed.has(name)) for (const input of inputs) needed.add(input);
    return needed.has(name);
  });
  return behind.toReversed();
}

/**
 * Builds a chain of layers; each layer reads the previous one.
 *
 * @param inputShape one example: [height, width, channels] or [features]
 * @throws CertError `bad-model` with the node's name if shapes do not fit or the last layer has no shape [classes]
 */
export function sequential(inputShape: Shape, layers: readonly Layer[]): Model {
  const builder = graph(inputShape);
  for (const layer of layers) builder.add(layer as Layer);
  return builder.build();
}

/** Returns the names of the nodes that feed a ReLU, in order, without duplicates. The regularizers read bounds at these nodes. */
export const reluInputs = (model: Model): string[] => [
  ...new Set(model.nodes.filter((node) => node.op === 'relu').map((node) => node.inputs[0]!)),
];
