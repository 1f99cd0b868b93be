/**
 * The one place that imports TensorFlow.js. Everything else takes `tf` from here, so that a user's own TensorFlow.js and
 * ours are one instance. The ops come from `tfjs-core`, their kernels from `tfjs-backend-cpu`, their gradients from `tfjs-additions`: the
 * union package `@tensorflow/tfjs`, which has all three, is five times as large.
 */
import { version_cpu } from '@tensorflow/tfjs-backend-cpu';
import * as namespace from '@tensorflow/tfjs-core';
// The types of the chained methods (`x.add(y)`), which `tfjs-additions` defines.
import type {} from '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import { version } from './tfjs-additions.js';
import { checkVersions } from './tfjs-versions.js';

// In Node.js the package is CommonJS: its exports are the default export, an object that `require` returns too.
const interop = namespace as typeof namespace & { readonly default?: typeof namespace };

/**
 * TensorFlow.js: the ops of `@tensorflow/tfjs-core` with gradients, chained methods and the backend `cpu`, in the instance that all
 * packages share. Import `tf` from here: a second instance knows neither the tensors nor the backend of the first. Its types `Tensor`,
 * `Scalar`, `Tensor1D` to `Tensor4D`, `Rank`, `DataType` and `TypedArray` are exported separately, all others under `TF`.
 */
export const tf: typeof namespace = interop.default ?? interop;

checkVersions(version, { '@tensorflow/tfjs-core': tf.version_core, '@tensorflow/tfjs-backend-cpu': version_cpu });

/** The types of TensorFlow.js that have no name of their own here: `TF.TensorInfo`, ... */
export type * as TF from '@tensorflow/tfjs-core';
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
} from '@tensorflow/tfjs-core';
