import { CertError } from './errors.js';
import type { Tensor } from './tf.js';

/** Nested records and arrays with values of type `T` at the leaves. Keys are visited in sorted order. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

/** Parameters of a model: `params[node][name]`, for example `params.conv2d1.kernel`. */
export type Params = { readonly [node: string]: { readonly [name: string]: Tensor } };

/** Running statistics of a model, in the same form: `stats.batchNorm1.mean`. */
export type Stats = Params;

/** A leaf and its path. */
export interface Leaf<T> {
  /** Keys of the path, joined by dots: `conv2d1.kernel`. */
  readonly path: string;
  /** What is there. */
  readonly value: T;
}

/** Whether an array or plain record in a tree is a leaf. */
export type IsLeaf = (node: unknown) => boolean;

const never: IsLeaf = () => false;

/** Arrays and plain records are branches, unless `isLeaf` says otherwise; everything else is a leaf. */
const isBranch = (node: unknown, isLeaf: IsLeaf): node is readonly unknown[] | Record<string, unknown> =>
  node !== null &&
  typeof node === 'object' &&
  (Array.isArray(node) || Object.getPrototypeOf(node) === Object.prototype) &&
  !isLeaf(node);

const entries = (node: readonly unknown[] | Record<string, unknown>): [string, unknown][] =>
  Array.isArray(node)
    ? node.map((value, i) => [String(i), value])
    : Object.keys(node)
        .sort()
        .map((key) => [key, (node as Record<string, unknown>)[key]]);

/**
 * Returns the leaves of a tree in the order (sorted keys) that `unflattenTree` expects. Arrays and plain records are branches, everything
 * else is a leaf. The caller asserts the leaf type `T`.
 *
 * @param isLeaf for trees whose leaves are plain records, such as `isHostTensor`; default: no record is a leaf
 */
export function flattenTree<T>(tree: Tree<T>, isLeaf: IsLeaf = never): Leaf<T>[] {
  const visit = (node: unknown, path: string): Leaf<T>[] =>
    isBranch(node, isLeaf)
      ? entries(node).flatMap(([key, value]) => visit(value, path === '' ? key : `${path}.${key}`))
      : [{ path, value: node as T }];
  return visit(tree, '');
}

/** Returns a tree with the structure of `like` and the given leaves, in the order of `flattenTree`. */
export function unflattenTree<T>(like: Tree<unknown>, leaves: readonly T[], isLeaf: IsLeaf = never): Tree<T> {
  let next = 0;
  const build = (node: unknown): Tree<T> => {
    if (!isBranch(node, isLeaf)) return leaves[next++] as T;
    if (Array.isArray(node)) return node.map(build);
    return Object.fromEntries(entries(node).map(([key, value]) => [key, build(value)]));
  };
  return build(like);
}

/** Applies `f` to every leaf and its dotted path, in the order of `flattenTree`; the result has the same structure. */
export function mapTree<T, U>(f: (leaf: T, path: string) => U, tree: Tree<T>, isLeaf: IsLeaf = never): Tree<U> {
  return unflattenTree<U>(
    tree,
    flattenTree<T>(tree, isLeaf).map(({ path, value }) => f(value, path)),
    isLeaf,
  );
}

/**
 * Applies `f` to corresponding leaves of two trees; the result has the structure of the first.
 *
 * @throws CertError `bad-argument` naming the first place where the structures differ
 */
export function zipTree<T, U, V>(
  f: (a: T, b: U, path: string) => V,
  first: Tree<T>,
  second: Tree<U>,
  isLeaf: IsLeaf = never,
): Tree<V> {
  const [left, right] = [flattenTree<T>(first, isLeaf), flattenTree<U>(second, isLeaf)];
  const odd = Array.from({ length: Math.max(left.length, right.length) }, (_, i) => i).find(
    (i) => left[i]?.path !== right[i]?.path,
  );
  if (odd !== undefined) {
    throw new CertError(
      'bad-argument',
      `Two trees differ in structure at "${left[odd]?.path ?? right[odd]?.path}".`,
      'Give trees with the same structure, such as parameters and gradients of the same model.',
    );
  }
  return unflattenTree<V>(
    first,
    left.map(({ path, value }, i) => f(value, right[i]!.value, path)),
    isLeaf,
  );
}

/** `mapTree` for parameters: same nodes, same names. */
export function mapParams<U>(
  f: (tensor: Tensor, path: string) => U,
  params: Params,
): { readonly [node: string]: { readonly [name: string]: U } } {
  return mapTree(f, params) as { readonly [node: string]: { readonly [name: string]: U } };
}

/** `zipTree` for parameters and their gradients, or other trees of the same nodes and names. */
export const zipParams = (f: (a: Tensor, b: Tensor) => Tensor, first: Params, second: Params): Params =>
  zipTree(f, first, second) as Params;
