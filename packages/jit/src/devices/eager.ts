import { flattenTree, type Shape, type Tensor, type Tree, tf, unflattenTree } from '@cert/core';
import { checkCount, dtypeOf, ofAnotherDevice, usedAfterDispose } from '../memory/array-checks.js';
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

/** Options of an eager device. */
export interface EagerOptions extends Partial<Pick<Device, 'name' | 'description' | 'warning' | 'roundsToNearest'>> {
  /** The TensorFlow.js backend that the device runs on; default the current one. */
  readonly backend?: string;
}

/**
 * Opens a device that runs functions eagerly on a TensorFlow.js backend: slow in plain JavaScript, but easy to debug. The device keeps its
 * backend, whatever `tf.setBackend` selects later, and leaves the current backend as it is.
 */
export function eagerDevice(options: EagerOptions = {}): Device {
  const { name = 'tfjs', warning, backend = currentBackend() } = options;
  const { roundsToNearest = backend === 'cpu' } = options;
  const arrays = new Set<EagerArray>();
  const adopt = (tensor: Tensor) => {
    const array = new EagerArray(tensor, (a) => arrays.delete(a));
    arrays.add(array);
    return array;
  };

  return {
    name,
    description: options.description ?? `TensorFlow.js ${tf.version_core}, backend ${backend}`,
    ...(warning !== undefined && { warning }),
    roundsToNearest,
    get live() {
      return arrays.size;
    },
    put(values, shape) {
      checkCount(values, shape);
      return adopt(on(backend, () => tf.tensor(values.slice(), [...shape], dtypeOf(values))));
    },
    jit<Args extends readonly unknown[], Out>(f: (...args: Args) => Out): DeviceFunction<Args, Out> {
      const call = async (...args: { [K in keyof Args]: OnDevice<Args[K]> }): Promise<OnDevice<Out>> => {
        const tree = args as unknown as Tree<DeviceArray>;
        const tensors = flattenTree<DeviceArray>(tree).map(({ value }) => {
          if (value.disposed) throw usedAfterDispose(value.shape);
          if (!(value instanceof EagerArray && arrays.has(value))) throw ofAnotherDevice(value.shape, name);
          return value.tensor;
        });
        let out: unknown;
        // Results are cloned: a function may return one of its arguments, which the caller disposes on its own.
        const leaves = on(backend, () =>
          tf.tidy(() => {
            out = f(...(unflattenTree<Tensor>(tree, tensors) as unknown as Args));
            return flattenTree<Tensor>(out as Tree<Tensor>).map(({ value }) => value.clone());
          }),
        );
        return unflattenTree<DeviceArray>(out as Tree<unknown>, leaves.map(adopt)) as OnDevice<Out>;
      };
      return Object.assign(call, { traces: 0, dispose: async () => {} });
    },
    async dispose() {
      for (const array of [...arrays]) array.dispose();
    },
  };
}

function currentBackend(): string {
  tf.backend(); // The default backend is chosen lazily.
  return tf.getBackend();
}

/** Runs a function on a backend, and selects the previous one again. */
function on<T>(backend: string, f: () => T): T {
  const before = currentBackend();
  if (before === backend) return f();
  // Both are initialized, so that they are selected at once.
  void tf.setBackend(backend);
  try {
    return f();
  } finally {
    void tf.setBackend(before);
  }
}
