import { type Scalar, type Tensor, tf } from './tf.js';
import { flattenTree, type Params, type Tree, unflattenTree } from './tree.js';

/** What {@link valueAndGrad} returns. The caller owns the tensors. */
export interface ValueAndGrad<Aux> {
  /** What the function returned as its value. */
  readonly value: Scalar;
  /** What it returned besides, as tensors of their own. */
  readonly aux: Aux;
  /** The gradient for every parameter; zeros where the value does not depend on it. */
  readonly grads: Params;
}

/**
 * The gradient of a scalar with respect to every parameter, by TensorFlow.js's own reverse mode, together with other tensors
 * computed on the way.
 *
 * @param f a function of the parameters that it closes over; `aux` is any tree of tensors
 */
export function valueAndGrad<Aux extends object>(
  f: (params: Params) => { readonly value: Scalar; readonly aux: Aux },
  params: Params,
): ValueAndGrad<Aux> {
  const leaves = tensorsOf(params);
  let aux: Tree<Tensor> = [];
  const [value, ...rest] = tf.tidy(() => {
    // The tape frees what is computed inside. Clones that are kept cross its border and are handed to the scope outside.
    let kept: Tensor[] = [];
    const forward = () => {
      const result = f(params);
      aux = result.aux as Tree<Tensor>;
      kept = tensorsOf(aux).map((tensor) => tf.keep(tensor.clone()));
      return result.value;
    };
    const { value, grads } = tf.engine().gradients<Tensor>(forward, leaves, undefined, true);
    const handed = kept.map((tensor) => tensor.clone());
    for (const tensor of kept) tensor.dispose();
    return [value, ...handed, ...leaves.map((leaf, i) => grads[i] ?? tf.zeros(leaf.shape))];
  });
  const count = rest.length - leaves.length;
  return {
    value: value as Scalar,
    aux: unflattenTree<Tensor>(aux, rest.slice(0, count)) as Aux,
    grads: unflattenTree<Tensor>(params, rest.slice(count)) as Params,
  };
}

const tensorsOf = (tree: Tree<Tensor>): Tensor[] => flattenTree<Tensor>(tree).map(({ value }) => value);
