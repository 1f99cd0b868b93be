import { flattenTree, type Shape, type Tensor, type Tree, unflattenTree } from '@cert/core';

/** Element types that live on a device. */
export type DType = 'float32' | 'int32' | 'bool';

/** The host array of a dtype; booleans are one byte each. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor on a device. Results of a compiled function stay there and are fed to the next call as they are.
 * `dispose()` gives the memory back to the device for the results of later calls; nothing else frees it.
 */
export interface DeviceArray {
  /** Length of each axis; [] for a scalar. */
  readonly shape: Shape;
  /** The type of its elements. */
  readonly dtype: DType;
  /**
   * A copy of the values on the host, row-major. Waits for the device.
   *
   * @throws CertError `bad-argument` after `dispose()`
   */
  data(): Promise<HostArray>;
  /** Gives the memory back to the device. A second call does nothing. */
  dispose(): void;
  /** Whether `dispose()` was called; such an array can be neither read nor given to a function. */
  readonly disposed: boolean;
}

/** The type of `T` with every tensor replaced by a handle on a device. */
export type OnDevice<T> = T extends Tensor
  ? DeviceArray
  : T extends readonly (infer U)[]
    ? readonly OnDevice<U>[]
    : { readonly [K in keyof T]: OnDevice<T[K]> };

/**
 * A function of trees of tensors, as it runs on a device. Arguments stay the caller's; what it returns is the caller's to dispose.
 *
 * A call throws CertError `bad-argument` for an array that is disposed or of another device and, where the function is compiled,
 * `unsupported-kernel` and `value-read`, each naming where in the function.
 */
export interface DeviceFunction<Args extends readonly unknown[], Out> {
  (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>>;
  /** How many distinct signatures (tree structure, shapes, dtypes) have been traced so far; 0 on a device that runs eagerly. */
  readonly traces: number;
  /** Frees the compiled graphs. */
  dispose(): Promise<void>;
}

/** Where functions run: the same pure function of tensors runs on each. */
export interface Device {
  /** The name by which it is opened: `cpu`, `webgpu`, ... */
  readonly name: string;
  /** What it really runs on, for people. */
  readonly description: string;
  /** Why it is not what its name promises: a GPU device that runs on the processor. For people; `auto` passes it over. */
  readonly warning?: string;
  /**
   * Copies values to the device. The kind of array is the dtype: float32, int32, bool.
   *
   * @param values row-major
   * @throws CertError `shape-mismatch` when the number of values is not that of the shape
   */
  put(values: HostArray, shape: Shape): DeviceArray;
  /**
   * Compiles (or wraps) a pure function of trees of tensors that reads no value. A compiled function is traced at its first call, and
   * once for each further signature: the structure of its arguments, their shapes and dtypes.
   */
  jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out>;
  /** How many arrays are alive: constant over steps when nothing leaks. */
  readonly live: number;
  /** Frees every array and compiled function. */
  dispose(): Promise<void>;
}

/** Disposes every array of a tree: nested records and arrays; anything else in it is passed over. */
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
