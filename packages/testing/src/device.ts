/** Functions of tensors on a device that compiles them, for checks of what a plug-in gives there. */
import { CertError, type Shape, type Tensor, tf } from '@cert/core';
import { failure } from './conformance.js';
import type { Values } from './host.js';

/** A tensor on a device. */
export interface DeviceTensor {
  /** Length of each axis. */
  readonly shape: Shape;
  /** The type of its elements. */
  readonly dtype: 'float32' | 'int32' | 'bool';
  /** Its values, row-major. */
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  /** Frees its memory. */
  dispose(): void;
  /** Whether it is freed. */
  readonly disposed: boolean;
}

/** A function as it runs on a device. */
export interface DeviceFunctionOfList {
  (tensors: readonly DeviceTensor[]): Promise<{ readonly [name: string]: DeviceTensor }>;
  /** Frees what was compiled. */
  dispose(): Promise<void>;
}

/** Where a function of tensors is compiled: a `Device` of `@cert/jit` is one, such as `await cpuDevice()`. */
export interface CompilingDevice {
  /** As the names of checks call it. */
  readonly name: string;
  /** Copies values to the device. */
  put(values: Float32Array | Int32Array, shape: Shape): DeviceTensor;
  /** Compiles a pure function that reads no value. */
  jit(f: (tensors: Tensor[]) => { readonly [name: string]: Tensor }): DeviceFunctionOfList;
}

/** A compiled function of a list of tensors, with the values of what it returns. */
export interface Compiled {
  call(tensors: readonly Tensor[]): Promise<{ readonly [name: string]: Values }>;
  dispose(): Promise<void>;
}

/** Compiles a function of a list of tensors. It is traced at the first call, and again for other shapes. */
export function compile(
  device: CompilingDevice,
  f: (tensors: readonly Tensor[]) => { readonly [name: string]: Tensor },
): Compiled {
  const compiled = device.jit(f);
  return {
    async call(tensors) {
      const given: DeviceTensor[] = [];
      try {
        for (const tensor of tensors) {
          const data = await tensor.data();
          given.push(device.put(data instanceof Int32Array ? data : Float32Array.from(data), tensor.shape));
        }
        return await read(await compiled(given));
      } finally {
        for (const array of given) array.dispose();
      }
    },
    dispose: () => compiled.dispose(),
  };
}

async function read(results: { readonly [name: string]: DeviceTensor }) {
  const values: { [name: string]: Values } = {};
  for (const [name, array] of Object.entries(results)) {
    values[name] = { shape: array.shape, data: Float32Array.from(await array.data()) };
  }
  // A function may return one tensor under two names.
  for (const array of Object.values(results)) array.dispose();
  return values;
}

/** Says of an error of a device whose function it is, and where it was called. */
export function compileFailure(error: unknown, who: string, where: string, device: string): unknown {
  if (!(error instanceof CertError) || error.problem.startsWith(who)) return error;
  return failure(
    error.code,
    who,
    where,
    `it cannot be compiled for the device "${device}": ${error.problem}`,
    error.cure,
    error,
  );
}

/** How far a value on a device may differ from the eager one: rounding in another order, of the largest value beside it. */
const tolerance = (a: Values, b: Values, relative: number): number =>
  1e-6 + relative * Math.max(0, ...[...a.data, ...b.data].filter(Number.isFinite).map(Math.abs));

/**
 * @param what what the values are, for the message: `the gradient with respect to input 0`
 * @throws CertError `broken-contract` with both values where they differ
 */
export function checkSame(
  [who, where, device]: readonly [who: string, where: string, device: string],
  what: string,
  eager: Values,
  compiled: Values,
  relative: number,
): void {
  const allowed = tolerance(eager, compiled, relative);
  const sameShape = String(eager.shape) === String(compiled.shape);
  const at = eager.data.findIndex((v, i) => {
    const other = compiled.data[i]!;
    return !Object.is(v, other) && !(Math.abs(v - other) <= allowed);
  });
  if (sameShape && at < 0) return;
  const got = sameShape
    ? `element ${at} of ${what} is ${compiled.data[at]} when compiled for the device "${device}" and ${eager.data[at]} when run eagerly.`
    : `${what} has the shape [${compiled.shape}] when compiled for the device "${device}" and [${eager.shape}] when run eagerly.`;
  throw failure(
    'broken-contract',
    who,
    where,
    got,
    'Compute with tensors only: a compiled function is traced once, and anything that depends on JavaScript values, on the backend or on a value that was read is fixed at that point.',
  );
}

/** Gradients of the sum of `weights` times the outputs of `f`; 0 for an input that it does not use. */
export function weightedGradients(
  f: (...xs: Tensor[]) => Tensor,
  at: readonly Tensor[],
  weights: Float32Array,
): Tensor[] {
  const weighted = (...xs: Tensor[]) => {
    // tf.grads refuses an input that does not reach the output: a product with 0 makes all of them reach it.
    const reached = xs.map((x) => tf.mul(tf.sum(x), 0)).reduce((a, b) => tf.add(a, b), tf.scalar(0));
    const y = f(...xs);
    return tf.add(tf.sum(tf.mul(y, tf.tensor(weights, y.shape))), reached);
  };
  return tf.grads(weighted)([...at]);
}
