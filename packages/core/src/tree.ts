import type { Tensor } from './tf.js';

/** Nested records and arrays with values of type `T` at the leaves. Keys are visited in sorted order. */
export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };

/** Parameters of a model: `params[node][name]`, for example `params.conv2d1.kernel`. */
export type Params = { readonly [node: string]: { readonly [name: string]: Tensor } };

/** Running statistics of a model, in the same form: `stats.batchNorm1.mean`. */
export type Stats = Params;

/** A leaf and the way to it. */
export interface Leaf<T> {
  /** The keys that lead to it, joined by dots: `conv2d1.kernel`. */
  readonly path: string;
  /** What is there. */
  readonly value: T;
}

/** A value that is an array or a plain record, and so a branch; everything else is a leaf. */
const isBranch = (node: unknown): node is readonly unknown[] | Record<string, unknown> =>
  Array.isArray(node) ||
  (node !== null && typeof node === 'object' && Object.getPrototypeOf(node) === Object.prototype);

const entries = (node: readonly unknown[] | Record<string, unknown>): [string, unknown][] =>
  Array.isArray(node)
    ? node.map((value, i) => [String(i), value])
    : Object.keys(node)
        .sort()
        .map((key) => [key, (node as Record<string, unknown>)[key]]);

/**
 * The leaves of a tree, in the fixed order (sorted keys) that `unflattenTree` expects. Arrays and plain records are branches,
 * anything else is a leaf. `T` is what the caller knows the leaves to be.
 *
 * @param prefix what every path starts with; default nothing
 */
export function flatten<T>(tree: Tree<T>, prefix = ''): Leaf<T>[] {
  if (!isBranch(tree)) return [{ path: prefix, value: tree as T }];
  return entries(tree).flatMap(([key, value]) => flatten(value as Tree<T>, prefix === '' ? key : `${prefix}.${key}`));
}

/** A tree of the structure of `like` with the given leaves, as many and in the order of `flattenTree`. */
export function unflatten<T>(like: Tree<unknown>, leaves: readonly T[]): Tree<T> {
  let next = 0;
  const build = (node: unknown): Tree<T> => {
    if (!isBranch(node)) return leaves[next++] as T;
    if (Array.isArray(node)) return node.map(build);
    return Object.fromEntries(entries(node).map(([key, value]) => [key, build(value)]));
  };
  return build(like);
}

/** Applies `f` to every leaf and its dotted path, in the order of `flattenTree`; the result has the same structure. */
export function mapTree<T, U>(f: (leaf: T, path: string) => U, tree: Tree<T>): Tree<U> {
  return unflatten<U>(
    tree,
    flatten<T>(tree).map(({ path, value }) => f(value, path)),
  );
}

/** `mapTree` for parameters: same nodes, same names. */
export function mapParams<U>(
  f: (tensor: Tensor, path: string) => U,
  params: Params,
): { readonly [node: string]: { readonly [name: string]: U } } {
  return mapTree(f, params) as { readonly [node: string]: { readonly [name: string]: U } };
}
