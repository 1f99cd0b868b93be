/**
 * The one place that imports TensorFlow.js. Everything else takes `tf` from here, so that a user's own TensorFlow.js and
 * ours are one instance. The union package is needed: it registers the gradients, `tfjs-core` alone does not.
 */
import * as namespace from '@tensorflow/tfjs';

// In Node the union package is CommonJS: its functions sit on the default export, not on the module namespace.
const interop = namespace as typeof namespace & { readonly default?: typeof namespace };

/**
 * TensorFlow.js, the whole of `@tensorflow/tfjs`: the instance that every package computes with. Take it from here, so that there is
 * only one; a second instance knows neither the tensors nor the backend of the first. Its types `Tensor`, `Scalar`, `Tensor1D` to
 * `Tensor4D`, `Rank`, `DataType` and `TypedArray` are exported beside it, the others under `TF`.
 */
export const tf: typeof namespace = interop.default ?? interop;

/** The types of TensorFlow.js that have no name of their own here: `TF.TensorInfo`, ... */
export type * as TF from '@tensorflow/tfjs';
export type {
  DataType,
  Rank,
  Scalar,
  Tensor,
  Tensor1D,
  Tensor2D,
  Tensor3D,
  Tensor4D,
  TypedArray,
} from '@tensorflow/tfjs';
