import { CertError, flattenTree, type Shape, type Tensor, type Tree, tf, unflattenTree } from '@cert/core';
import type { Device, DeviceArray, DeviceFunction, DType, HostArray, OnDevice } from './device.js';

/** A tfjs tensor behind the interface of a device. */
class EagerArray implements DeviceArray {
  constructor(
    readonly tensor: Tensor,
    private readonly forget: (array: EagerArray) => void,
  ) {}

  get shape(): Shape {
    return this.tensor.shape;
  }

  get dtype(): DType {
    return this.tensor.dtype as DType;
  }

  get disposed(): boolean {
    return this.tensor.isDisposed;
  }

  async data(): Promise<HostArray> {
    if (this.disposed) throw usedAfterDispose(this.shape);
    return (await this.tensor.data()) as HostArray;
  }

  dispose(): void {
    if (this.disposed) return;
    this.tensor.dispose();
    this.forget(this);
  }
}

/** The error for an array that is used after its memory was given back. */
export const usedAfterDispose = (shape: Shape): CertError =>
  new CertError(
    'bad-argument',
    `An array of shape [${shape}] was used after dispose().`,
    'Dispose an array only when no later call takes it; keep the state that the last step returned.',
  );

/** Runs functions eagerly on the current tfjs backend (`tf.setBackend` chooses it): slow in plain JavaScript, exact, easy to debug. */
export function eagerDevice(): Device {
  const arrays = new Set<EagerArray>();
  const adopt = (tensor: Tensor) => {
    const array = new EagerArray(tensor, (a) => arrays.delete(a));
    arrays.add(array);
    return array;
  };

  return {
    name: 'tfjs',
    description: `TensorFlow.js ${tf.version.tfjs}, backend ${tf.getBackend()}`,
    get live() {
      return arrays.size;
    },
    put(values, shape) {
      checkCount(values, shape);
      const dtype: DType = values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'bool';
      return adopt(tf.tensor(values.slice(), [...shape], dtype));
    },
    jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out> {
      const call = async (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>> => {
        const tree = args as unknown as Tree<DeviceArray>;
        const tensors = flattenTree<DeviceArray>(tree).map(({ value }) => {
          if (value.disposed) throw usedAfterDispose(value.shape);
          return (value as EagerArray).tensor;
        });
        let out: unknown;
        // Results are cloned: a function may return one of its arguments, which the caller disposes on its own.
        const leaves = tf.tidy(() => {
          out = f(...(unflattenTree<Tensor>(tree, tensors) as unknown as Args));
          return flattenTree<Tensor>(out as Tree<Tensor>).map(({ value }) => value.clone());
        });
        return unflattenTree<DeviceArray>(out as Tree<unknown>, leaves.map(adopt)) as OnDevice<Out>;
      };
      return Object.assign(call, { traces: 0, dispose: async () => {} });
    },
    async dispose() {
      for (const array of [...arrays]) array.dispose();
    },
  };
}

/** @throws CertError `shape-mismatch` */
export function checkCount(values: HostArray, shape: Shape): void {
  const size = shape.reduce((a, b) => a * b, 1);
  if (values.length === size) return;
  throw new CertError(
    'shape-mismatch',
    `${values.length} values were given for the shape [${shape}], which has ${size}.`,
    'Give as many values as the shape has elements.',
  );
}
