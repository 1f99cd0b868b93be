import { flattenTree, type Params, type Tensor, type TrainBatch, type Tree, tf, unflattenTree } from '@cert/core';

/**
 * Sizes of the parts of a batch: nearly equal, the larger ones first, none empty.
 *
 * @param count images in the batch
 * @param parts how many are wanted; there are fewer when the batch has fewer images
 */
export function partSizes(count: number, parts: number): readonly number[] {
  const used = Math.max(1, Math.min(parts, count));
  return Array.from({ length: used }, (_, i) => Math.ceil((count - i) / used));
}

/** The parts of a batch, in order; the batch itself when there is one part. */
export function splitBatch(batch: TrainBatch, sizes: readonly number[]): readonly TrainBatch[] {
  if (sizes.length === 1) return [batch];
  return sizes.map((size, i) => {
    const from = sizes.slice(0, i).reduce((a, b) => a + b, 0);
    const cut = (tensor: Tensor) => {
      const [, ...shape] = tensor.shape;
      return tf.slice(tensor, [from, ...shape.map(() => 0)], [size, ...shape]);
    };
    const { images, labels, targets, weights, noise } = batch;
    return {
      ...{ images: cut(images), labels: cut(labels) },
      ...(targets && { targets: cut(targets) }),
      ...(weights && { weights: cut(weights) }),
      ...(noise && { noise: cut(noise) }),
    };
  });
}

/**
 * A part that waits for the gradients of the part before it: they are added to its images 0 times. A compiled step runs its
 * operations in an order that only what they need decides; left to itself, it keeps the activations of all parts at once.
 */
export function afterGradients(part: TrainBatch, grads: Params | undefined): TrainBatch {
  if (grads === undefined) return part;
  const touched = flattenTree<Tensor>(grads).map(({ value }) => tf.slice(tf.reshape(value, [-1]), [0], [1]));
  const nothing = tf.mul(tf.sum(tf.concat(touched)), 0);
  return { ...part, images: tf.add(part.images, nothing) };
}

/**
 * What was measured on the parts of a batch as it holds for the whole batch: means, weighted by the sizes of the parts.
 *
 * @param trees one for each part, all of the same structure
 * @param counted whether the leaf at a path is a count of images instead of a mean: these are added up
 */
export function joinParts<T extends object>(
  trees: readonly T[],
  sizes: readonly number[],
  counted: (path: string) => boolean = () => false,
): T {
  const [first] = trees;
  if (trees.length === 1) return first!;
  const count = sizes.reduce((a, b) => a + b, 0);
  const leaves = trees.map((tree) => flattenTree<Tensor>(tree as Tree<Tensor>));
  const joined = leaves[0]!.map(({ path }, k) =>
    leaves
      .map((part, i) => (counted(path) ? part[k]!.value : tf.mul(part[k]!.value, sizes[i]! / count)))
      .reduce((a, b) => tf.add(a, b)),
  );
  return unflattenTree<Tensor>(first as Tree<Tensor>, joined) as T;
}
