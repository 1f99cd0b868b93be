import { type Scalar, type Tensor, tf } from './tf.js';
import { flattenTree, type Params, type Tree, unflattenTree } from './tree.js';

/** Result of {@link valueAndGrad}. The caller disposes the tensors. */
export interface ValueAndGrad<Aux> {
  /** The value of the function. */
  readonly value: Scalar;
  /** The auxiliary tensors that the function returned, as new tensors. */
  readonly aux: Aux;
  /** The gradient for every parameter; zeros where the value does not depend on it. */
  readonly grads: Params;
}

/**
 * Returns a scalar, its gradient with respect to every parameter (by reverse mode of TensorFlow.js), and auxiliary tensors.
 *
 * @param f a function that closes over the parameters; `aux` is any tree of tensors
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
