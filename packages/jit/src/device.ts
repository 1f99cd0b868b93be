import type { Shape, Tensor, Tree } from '@cert/core';

/** Element types that live on a device. */
export type DType = 'float32' | 'int32' | 'bool';

/** The host array of a dtype; booleans are one byte each. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor on a device. Results of a compiled function stay there and are fed to the next call as they are.
 * `dispose()` gives the memory back to the device for the results of later calls; nothing else frees it.
 */
export interface DeviceArray {
  readonly shape: Shape;
  readonly dtype: DType;
  /** A copy of the values on the host. @throws CertError `bad-argument` after `dispose()` */
  data(): Promise<HostArray>;
  dispose(): void;
  readonly disposed: boolean;
}

/** The type of `T` with every tensor replaced by a handle on a device. */
export type OnDevice<T> = T extends Tensor
  ? DeviceArray
  : T extends readonly (infer U)[]
    ? readonly OnDevice<U>[]
    : { readonly [K in keyof T]: OnDevice<T[K]> };

/** A function of trees of tensors, as it runs on a device. */
export interface DeviceFunction<Args extends readonly unknown[], Out> {
  (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>>;
  /** How many distinct signatures (tree structure, shapes, dtypes) have been traced so far; 0 on a device that runs eagerly. */
  readonly traces: number;
  /** Frees the compiled graphs. */
  dispose(): Promise<void>;
}

/** Where functions run: the same pure function of tensors runs on each. */
export interface Device {
  /** `cpu`, `webgpu`, ... */
  readonly name: string;
  /** What it really runs on, for people. */
  readonly description: string;
  /** Why it is not what its name promises: a GPU device that runs on the processor. For people; `auto` passes it over. */
  readonly warning?: string;
  /**
   * Copies values to the device.
   * @throws CertError `shape-mismatch` when the number of values is not that of the shape
   */
  put(values: HostArray, shape: Shape): DeviceArray;
  /** Compiles (or wraps) a pure function of trees of tensors that reads no value. */
  jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out>;
  /** How many arrays are alive: constant over steps when nothing leaks. */
  readonly live: number;
  /** Frees every array and compiled function. */
  dispose(): Promise<void>;
}

/** Disposes every array of a tree. */
export function disposeTree(tree: unknown): void {
  if (tree === null || typeof tree !== 'object') return;
  if (isDeviceArray(tree)) tree.dispose();
  else for (const branch of Object.values(tree)) disposeTree(branch);
}

/** Copies every array of a tree to the host, in the same structure. */
export async function readTree<T>(tree: OnDevice<T>): Promise<Tree<HostArray>> {
  const read = async (node: unknown): Promise<Tree<HostArray>> => {
    if (isDeviceArray(node)) return node.data();
    if (Array.isArray(node)) return Promise.all(node.map(read));
    const entries = await Promise.all(
      Object.entries(node as object).map(async ([key, value]) => [key, await read(value)] as const),
    );
    return Object.fromEntries(entries);
  };
  return read(tree);
}

const isDeviceArray = (node: unknown): node is DeviceArray =>
  node !== null && typeof node === 'object' && 'dtype' in node && 'data' in node && 'dispose' in node;
