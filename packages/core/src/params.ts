import { CertError } from './errors.js';
import type { HostParams, HostTensor } from './host.js';
import { type Model, type Shape, sizeOf } from './model.js';
import type { Tensor } from './tf.js';
import type { Params } from './tree.js';

/** Name and shape of one tensor of a model. */
export interface TensorSpec {
  /** The first key in {@link Params} or {@link Stats}: the name of its node. */
  readonly node: string;
  /** The second key, such as `kernel`. */
  readonly name: string;
  /** The shape of the tensor. */
  readonly shape: Shape;
}

const specs = (model: Model, kind: 'params' | 'stats'): TensorSpec[] =>
  model.nodes.flatMap((node) =>
    Object.entries<Shape>(node[kind]).map(([name, shape]) => ({ node: node.name, name, shape })),
  );

/** Every parameter (trainable tensor) of a model, in graph order. */
export const paramSpecs = (model: Model): TensorSpec[] => specs(model, 'params');

/** Every running statistic of a model, in graph order. */
export const statSpecs = (model: Model): TensorSpec[] => specs(model, 'stats');

/** Returns the number of trainable parameters of a model, without running statistics. */
export const countParams = (model: Model): number =>
  paramSpecs(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/**
 * Builds a parameter or statistics tree tensor by tensor.
 *
 * @param tensors such as {@link paramSpecs}
 * @param make called once for each, in order; returns a tensor or host tensor, whose shape is not checked (see {@link checkParams})
 */
export function buildParams<T = Tensor>(
  tensors: readonly TensorSpec[],
  make: (spec: TensorSpec) => T,
): { readonly [node: string]: { readonly [name: string]: T } } {
  const tree: { [node: string]: { [name: string]: T } } = {};
  for (const spec of tensors) {
    tree[spec.node] ??= {};
    tree[spec.node]![spec.name] = make(spec);
  }
  return tree;
}

/** Returns a host tensor filled with one value. */
export const filledTensor = (shape: Shape, value: number): HostTensor => ({
  shape,
  data: new Float32Array(sizeOf(shape)).fill(value),
});

/** Returns the initial running statistics on the host: variances 1, all others (means) 0. */
export const initialStats = (model: Model): HostParams =>
  buildParams(statSpecs(model), ({ name, shape }) => filledTensor(shape, name === 'variance' ? 1 : 0));

/**
 * Checks that a tree has exactly the tensors that a model needs. Reads shapes, not values.
 *
 * @param kind whether the tree holds parameters or running statistics; default parameters
 * @throws CertError `shape-mismatch` naming the first tensor that differs
 */
export function checkParams(model: Model, tree: Params | HostParams, kind: 'params' | 'stats' = 'params'): void {
  const needed = specs(model, kind);
  for (const { node, name, shape } of needed) {
    const got = tree[node]?.[name]?.shape;
    if (got === undefined || got.length !== shape.length || got.some((n, i) => n !== shape[i])) {
      throw new CertError(
        'shape-mismatch',
        `The ${kind} have ${got ? `the shape [${got}]` : 'no tensor'} at "${node}.${name}", but the model needs the shape [${shape}].`,
        'Use parameters of this model, from an initializer or from a checkpoint of the same architecture.',
      );
    }
  }
  const known = new Set(needed.map(({ node, name }) => JSON.stringify([node, name])));
  for (const [node, tensors] of Object.entries(tree)) {
    const extra = Object.keys(tensors).find((name) => !known.has(JSON.stringify([node, name])));
    if (extra === undefined) continue;
    throw new CertError(
      'shape-mismatch',
      `The ${kind} have a tensor "${node}.${extra}", which the model does not have.`,
      'Use parameters of this model, from an initializer or from a checkpoint of the same architecture.',
    );
  }
}
