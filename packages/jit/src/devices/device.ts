import { flattenTree, type Shape, type Tensor, type Tree, unflattenTree } from '@cert/core';

/** Element types of device arrays. */
export type DType = 'float32' | 'int32' | 'bool';

/** Host array type of a dtype; booleans are one byte each. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor on a device. Results of a compiled function stay on the device and can be passed to the next call without a copy. Only
 * `dispose()` frees the memory, for results of later calls.
 */
export interface DeviceArray {
  /** Length of each axis; [] for a scalar. */
  readonly shape: Shape;
  /** The type of its elements. */
  readonly dtype: DType;
  /**
   * Returns a copy of the values on the host, row-major. Waits for the device.
   *
   * @throws CertError `bad-argument` after `dispose()`
   */
  data(): Promise<HostArray>;
  /** Frees the memory on the device. A second call does nothing. */
  dispose(): void;
  /** Whether `dispose()` was called; a disposed array can be neither read nor passed to a function. */
  readonly disposed: boolean;
}

/** The type `T` with every tensor replaced by a device array. */
export type OnDevice<T> = T extends Tensor
  ? DeviceArray
  : T extends readonly (infer U)[]
    ? readonly OnDevice<U>[]
    : { readonly [K in keyof T]: OnDevice<T[K]> };

/**
 * A function of trees of tensors that runs on a device. The caller disposes arguments and results.
 *
 * A call throws CertError `bad-argument` for an array that is disposed or belongs to another device and, during compilation,
 * `unsupported-kernel` and `value-read`, each with the location in the function.
 */
export interface DeviceFunction<Args extends readonly unknown[], Out> {
  (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>>;
  /** Number of distinct signatures (tree structure, shapes, dtypes) traced so far; 0 on an eager device. */
  readonly traces: number;
  /** Frees the compiled graphs. */
  dispose(): Promise<void>;
}

/** A device that runs pure functions of tensors. */
export interface Device {
  /** Name for opening the device: `cpu`, `webgpu`, ... */
  readonly name: string;
  /** Human-readable description of the actual hardware and runtime. */
  readonly description: string;
  /** Human-readable warning if a GPU device actually runs on the CPU; `auto` skips such a device. */
  readonly warning?: string;
  /**
   * Whether float32 operations are known to round to nearest, and convolutions to be sums of products. Only then may bounds that account for
   * rounding be computed on the device; default no.
   */
  readonly roundsToNearest?: boolean;
  /**
   * Copies values to the device and returns the array. The array type determines the dtype: float32, int32, bool.
   *
   * @param values row-major
   * @throws CertError `shape-mismatch` if the number of values does not match the shape
   */
  put(values: HostArray, shape: Shape): DeviceArray;
  /**
   * Compiles (or wraps) a pure function of trees of tensors that reads no value. A compiled function is traced once per signature: the
   * structure, shapes and dtypes of its arguments.
   */
  jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out>;
  /** Number of live arrays: constant over steps unless there is a leak. */
  readonly live: number;
  /** Frees every array and compiled function. */
  dispose(): Promise<void>;
}

/** Disposes every array in a tree of nested records and arrays; other values are ignored. */
export function disposeTree(tree: unknown): void {
  for (const { value } of flattenTree<unknown>(tree as Tree<unknown>, isDeviceArray)) {
    if (isDeviceArray(value)) value.dispose();
  }
}

/**
 * Copies every array of a tree to the host, in the same structure. Frees nothing.
 *
 * @throws CertError `bad-argument` for an array that is disposed
 */
export async function readTree<T>(tree: OnDevice<T>): Promise<Tree<HostArray>> {
  const leaves = flattenTree<DeviceArray>(tree as Tree<DeviceArray>, isDeviceArray);
  return unflattenTree<HostArray>(
    tree as Tree<DeviceArray>,
    await Promise.all(leaves.map(({ value }) => value.data())),
    isDeviceArray,
  );
}

const isDeviceArray = (node: unknown): node is DeviceArray =>
  node !== null && typeof node === 'object' && 'dtype' in node && 'data' in node && 'dispose' in node;
