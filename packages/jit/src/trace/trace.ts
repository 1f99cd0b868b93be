import {
  CertError,
  flattenTree,
  type Shape,
  sizeOf,
  type Tensor,
  type TF,
  type Tree,
  tf,
  unflattenTree,
} from '@cert/core';
import type { DType, HostArray } from '../devices/device.js';
import { Builder } from '../graph/builder.js';
import type { Graph, Value } from '../graph/ir.js';
import { knownDtype } from '../lower/dtype.js';
import { LOWERINGS } from '../lower/index.js';
import { type GradientSites, gradientSites } from './gradient-sites.js';

const BACKEND = 'cert-trace';

/** What TensorFlow.js hands to and takes from a backend. */
type BackendValues = Float32Array | Int32Array | Uint8Array | Uint8Array[];

/** The shape and dtype of one argument of a traced function. */
export interface ArraySpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A traced function: its graph, and the structure of its result. */
export interface Trace {
  readonly graph: Graph;
  /** The result with the leaves replaced by their number. */
  readonly result: Tree<number>;
}

/**
 * Runs `f` once on symbolic tensors and records every TensorFlow.js kernel that it calls, gradients included.
 *
 * @param args the trees of arguments; leaves give shapes and dtypes
 * @param options `sites`: note for every value where it was made, for profiles (reading the stack takes most of the time)
 * @throws CertError `unsupported-kernel` for a kernel that cannot be lowered, `value-read` when `f` reads a value, `bad-argument` when it draws
 * random numbers without a seed, uses a disposed tensor, is async or returns anything but tensors
 */
export function trace(
  f: (...args: never[]) => unknown,
  args: Tree<ArraySpec>,
  { sites = false }: { readonly sites?: boolean } = {},
): Trace {
  const backend = install();
  backend.gradients = sites ? gradientSites() : undefined;
  tf.backend(); // The default backend is chosen lazily; without this there would be none to go back to.
  const before = tf.getBackend();
  backend.builder = new Builder();
  const random = Math.random;
  void tf.setBackend(BACKEND);
  // What is drawn here would be drawn once, and be a constant of every call.
  Math.random = refuseRandom;
  try {
    let traced: Trace | undefined;
    tf.tidy(() => {
      const specs = flattenTree<ArraySpec>(args).map(({ value }) => value);
      const inputs = specs.map(({ shape, dtype }, i) => backend.builder.input(i, shape, dtype));
      const tensors = inputs.map((value) => backend.tensorOf(value));
      const returned = f(...(unflattenTree<Tensor>(args, tensors) as never[]));
      if (returned instanceof Promise) throw asyncFunction(returned);
      const out = returned as Tree<Tensor>;
      const leaves = flattenTree<Tensor>(out);
      for (const { path, value } of leaves) {
        if (value instanceof tf.Tensor) continue;
        throw new CertError(
          'bad-argument',
          `The compiled function returned ${value === undefined ? 'undefined' : typeof value} at "${path || 'its result'}".`,
          'Return a tree (records and arrays) whose leaves are tensors.',
        );
      }
      const outputs = leaves.map(({ value }) => backend.valueFor(value));
      const result = unflattenTree<number>(
        out,
        leaves.map((_, i) => i),
      );
      traced = { graph: { inputs, outputs }, result };
    });
    return traced!;
  } finally {
    Math.random = random;
    void tf.setBackend(before);
  }
}

function refuseRandom(): never {
  throw new CertError(
    'bad-argument',
    `A compiled function drew random numbers${site() ? ` (at ${site()})` : ''}.`,
    'Draw the numbers outside and pass them in as an argument: inside, they would be drawn once and be the same in every call.',
  );
}

function asyncFunction(promise: Promise<unknown>): CertError {
  // It fails as soon as it reads a value; that is not another error.
  promise.catch(() => {});
  return new CertError(
    'bad-argument',
    'The compiled function is async.',
    'Give a function that returns tensors, not a promise: a compiled function cannot await anything.',
  );
}

/** The TensorFlow.js backend that records instead of computing: a data id stands for a value of the graph. */
class TraceBackend extends tf.KernelBackend {
  builder = new Builder();
  /** There when call sites are noted. */
  gradients: GradientSites | undefined;
  private readonly values = new Map<object, Value>();

  /** A new data id for a value, in the form in which kernels return it. */
  hold(value: Value): TF.TensorInfo {
    const dataId = {};
    this.values.set(dataId, value);
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }

  tensorOf(value: Value): Tensor {
    const { dataId, shape, dtype } = this.hold(value);
    return tf.engine().makeTensorFromDataId(dataId, shape, dtype, this);
  }

  /** The value of a tensor. One from outside the trace (captured by the function) becomes a constant. */
  valueFor(tensor: TF.TensorInfo): Value {
    const value = this.values.get(tensor.dataId);
    if (value !== undefined) return this.builder.reshape(value, tensor.shape);
    if (!tf.engine().state.tensorInfo.has(tensor.dataId)) {
      throw new CertError(
        'bad-argument',
        `A compiled function used a tensor of shape [${tensor.shape}] that was disposed${site() ? ` (at ${site()})` : ''}.`,
        'Keep captured tensors (tf.keep) until the function has been called with every signature, or pass them in as arguments.',
      );
    }
    return constant(this.builder, tf.engine().readSync(tensor.dataId), tensor.shape, tensor.dtype);
  }

  override write(values: BackendValues, shape: number[], dtype: TF.DataType): object {
    return this.hold(constant(this.builder, values, shape, dtype)).dataId;
  }

  override readSync(dataId: object): BackendValues {
    const value = this.values.get(dataId);
    if (value?.op === 'const' && value.data) return value.data;
    throw new CertError(
      'value-read',
      `A compiled function read the value of a tensor${site() ? ` (at ${site()})` : ''}.`,
      'Use tf.where or arithmetic instead of if, or pass the decision in as a scalar: tensors have no values while the function is compiled.',
    );
  }

  override async read(dataId: object): Promise<BackendValues> {
    return this.readSync(dataId);
  }

  override disposeData(dataId: object): boolean {
    return this.values.delete(dataId);
  }

  override numDataIds(): number {
    return this.values.size;
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override refCount(): number {
    return 1;
  }

  override incRef(): void {}
  override timerAvailable(): boolean {
    return false;
  }
  override dispose(): void {}
}

/** A rule for a kernel of which only the name is known: TensorFlow.js calls it with the operands and attributes that it declares. */
type NamedLowering = (builder: Builder, inputs: never, attrs: never) => Value | Value[];

let installed: TraceBackend | undefined;

/** Registers the backend and its kernels with TensorFlow.js, once. */
function install(): TraceBackend {
  if (installed !== undefined) return installed;
  const backend = new TraceBackend();
  installed = backend;
  tf.registerBackend(BACKEND, () => backend, -1);
  // Kernels that the JavaScript backend knows and we do not get an error that says so instead of "not registered".
  const lowerings = new Map<string, NamedLowering>(Object.entries(LOWERINGS));
  const names = new Set([...lowerings.keys(), ...tf.getKernelsForBackend('cpu').map((kernel) => kernel.kernelName)]);
  for (const kernelName of names) {
    const lowering = lowerings.get(kernelName) ?? unsupported(kernelName);
    tf.registerKernel({
      kernelName,
      backendName: BACKEND,
      kernelFunc({ inputs, attrs }) {
        const { builder, gradients } = backend;
        gradients?.label(builder.site);
        builder.site = gradients && (gradients.current ?? site());
        const values = Object.fromEntries(
          Object.entries(inputs).flatMap(([name, tensor]) =>
            tensor == null ? [] : [[name, backend.valueFor(tensor)] as const],
          ),
        );
        const result = lowering(builder, values as never, (attrs ?? {}) as never);
        return Array.isArray(result) ? result.map((value) => backend.hold(value)) : backend.hold(result);
      },
    });
  }
  return backend;
}

function unsupported(kernel: string): NamedLowering {
  return () => {
    throw new CertError(
      'unsupported-kernel',
      `The TensorFlow.js kernel "${kernel}" cannot be compiled${site() ? ` (called at ${site()})` : ''}.`,
      'Use other ops, run the function eagerly (device "tfjs"), or add a lowering in @cert/jit (src/lower).',
    );
  };
}

/** The nearest caller outside TensorFlow.js, this package and JavaScript's own `Array.map` and the like. */
function site(): string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const stack = new Error().stack ?? '';
  Error.stackTraceLimit = limit;
  const frame = stack
    .split('\n')
    .slice(1)
    .find(
      (line) =>
        !/\(<anonymous>\)$|@tensorflow[\\/]|tfjs-core[\\/]|[\\/]jit[\\/](src|dist)[\\/](?!.*\.test\.)|node:internal/.test(
          line,
        ),
    );
  return frame?.trim().replace(/^at /, '');
}

function constant(builder: Builder, values: BackendValues, shape: Shape, given: TF.DataType): Value {
  const dtype = knownDtype(given);
  // Only strings come as a list.
  const numbers = values as HostArray;
  // tf.ones and tf.zeros of a large shape, which gradients of sums and means make: one number, broadcast.
  const uniform = sizeOf(shape) > 1 && isUniform(numbers);
  const data = copy(uniform ? numbers.subarray(0, 1) : numbers, dtype);
  if (uniform) return builder.expand(builder.const(data, [], dtype), shape);
  return builder.const(data, shape, dtype);
}

function isUniform(values: HostArray): boolean {
  const [first] = values;
  for (let i = 1; i < values.length; i++) if (values[i] !== first) return false;
  return true;
}

/** New arrays of arrays, not `from`, which takes a hundred times as long. */
const copy = (values: HostArray, dtype: DType): HostArray =>
  dtype === 'float32' ? new Float32Array(values) : dtype === 'int32' ? new Int32Array(values) : new Uint8Array(values);
