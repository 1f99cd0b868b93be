import { CertError } from './errors.js';
import type { Shape } from './model.js';
import { type Tensor, tf } from './tf.js';
import { flattenTree, mapTree, type Tree, unflattenTree } from './tree.js';

/** A tensor in host memory: row-major values and their shape. Plain data. */
export interface HostTensor {
  /** Length of each axis. */
  readonly shape: Shape;
  /** One value per element, row-major; the array type determines the dtype (float32 or int32). */
  readonly data: Float32Array | Int32Array;
}

/** Nested records with host tensors as leaves, such as the state of an optimizer. */
export interface HostTree {
  readonly [key: string]: HostTensor | HostTree;
}

/** Parameters or running statistics on the host: `params.conv1.kernel`. */
export type HostParams = { readonly [node: string]: { readonly [name: string]: HostTensor } };

/** A tensor whose values can be read: a TensorFlow.js tensor, or an array on a device of `@cert/jit`. */
export interface Readable {
  /** Length of each axis. */
  readonly shape: Shape;
  /** Copies the values to the host, row-major. */
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
}

/** The type of `T` with every host tensor replaced by a TensorFlow.js tensor. */
export type AsTensors<T> = T extends HostTensor ? Tensor : { readonly [K in keyof T]: AsTensors<T[K]> };

/** The type of `T` with every readable tensor replaced by a host tensor. */
export type AsHost<T> = T extends Readable ? HostTensor : { readonly [K in keyof T]: AsHost<T[K]> };

/** Whether a branch of a {@link HostTree} is a tensor. A record may have a key `data`, but not with a typed array as its value. */
export const isHostTensor = (value: unknown): value is HostTensor =>
  typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data) && 'shape' in value;

const isReadable = (value: unknown): value is Readable =>
  typeof value === 'object' && value !== null && 'data' in value && typeof value.data === 'function';

/** Copies a tree of host tensors to TensorFlow.js tensors in the same structure. The caller disposes the tensors. */
export function toTensors<T extends HostTensor | HostTree>(tree: T): AsTensors<T> {
  const copy = ({ shape, data }: HostTensor): Tensor =>
    // A copy: tfjs keeps the very array that it is given, and a later write to the host tree would change the tensor.
    tf.tensor(data.slice(), [...shape], data instanceof Int32Array ? 'int32' : 'float32');
  return mapTree(copy, tree as Tree<HostTensor>, isHostTensor) as AsTensors<T>;
}

/**
 * Copies the values of every tensor of a tree to the host, in the same structure: nested records of TensorFlow.js tensors or of
 * arrays on a device. Frees nothing.
 *
 * @throws CertError `bad-argument` naming a leaf that is not a float32 or int32 tensor
 */
export async function toHost<T extends object>(tree: T): Promise<AsHost<T>> {
  const leaves = flattenTree<unknown>(tree as Tree<unknown>, isReadable).map(async ({ value, path }) => {
    const data = isReadable(value) ? await value.data() : undefined;
    if (data instanceof Float32Array || data instanceof Int32Array) {
      return { shape: [...(value as Readable).shape], data };
    }
    throw new CertError(
      'bad-argument',
      `"${path}" is not a tensor of dtype float32 or int32.`,
      'Store trees of float32 and int32 tensors; convert others first.',
    );
  });
  return unflattenTree<HostTensor>(tree as Tree<unknown>, await Promise.all(leaves), isReadable) as AsHost<T>;
}
