import { CertError } from './errors.js';
import type { Model, Shape } from './model.js';
import { type Tensor, tf } from './tf.js';
import type { Params, Stats } from './tree.js';

/** One tensor that a model needs. */
export interface TensorSpec {
  /** The first key in {@link Params} or {@link Stats}: the name of its node. */
  readonly node: string;
  /** The second key, such as `kernel`. */
  readonly name: string;
  /** Its whole shape. */
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

/** How many trainable numbers a model has; running statistics are not counted. */
export const countParams = (model: Model): number =>
  paramSpecs(model).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/**
 * A parameter or statistics tree made tensor by tensor.
 *
 * @param tensors such as {@link paramSpecs}
 * @param make called once for each, in order; shapes are not checked (see {@link checkParams})
 */
export function buildParams(tensors: readonly TensorSpec[], make: (spec: TensorSpec) => Tensor): Params {
  const tree: { [node: string]: { [name: string]: Tensor } } = {};
  for (const spec of tensors) {
    tree[spec.node] ??= {};
    tree[spec.node]![spec.name] = make(spec);
  }
  return tree;
}

/** Running statistics at the start of training: variances 1, everything else (means) 0. New tensors, the caller's to dispose. */
export const initialStats = (model: Model): Stats =>
  buildParams(statSpecs(model), ({ name, shape }) =>
    name === 'variance' ? tf.ones([...shape]) : tf.zeros([...shape]),
  );

/**
 * Checks that a tree has exactly the tensors that a model needs. Reads shapes, not values.
 *
 * @param kind whether the tree holds parameters or running statistics; default parameters
 * @throws CertError `shape-mismatch` naming the first tensor that differs
 */
export function checkParams(model: Model, tree: Params, kind: 'params' | 'stats' = 'params'): void {
  const needed = specs(model, kind);
  for (const { node, name, shape } of needed) {
    const got = tree[node]?.[name]?.shape;
    if (got === undefined || got.length !== shape.length || got.some((n, i) => n !== shape[i])) {
      throw new CertError(
        'shape-mismatch',
        `The ${kind} have ${got ? `shape [${got}]` : 'nothing'} at "${node}.${name}" and the model needs [${shape}].`,
        'Use parameters that were made for this model (an initializer, or a checkpoint of the same architecture).',
      );
    }
  }
  const known = new Set(needed.map(({ node, name }) => JSON.stringify([node, name])));
  for (const [node, tensors] of Object.entries(tree)) {
    const extra = Object.keys(tensors).find((name) => !known.has(JSON.stringify([node, name])));
    if (extra === undefined) continue;
    throw new CertError(
      'shape-mismatch',
      `The ${kind} have a tensor "${node}.${extra}" that the model does not know.`,
      'Use parameters that were made for this model (an initializer, or a checkpoint of the same architecture).',
    );
  }
}
