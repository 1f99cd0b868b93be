import { CertError, type TF } from '@cert/core';
import type { DType } from '../devices/device.js';

/**
 * A dtype of TensorFlow.js as one of a compiled function.
 *
 * @throws CertError `unsupported-kernel` for strings and complex numbers
 */
export function knownDtype(dtype: TF.DataType): DType {
  if (dtype !== 'string' && dtype !== 'complex64') return dtype;
  throw new CertError(
    'unsupported-kernel',
    `A ${dtype} tensor reached a compiled function.`,
    'Compiled functions support float32, int32 and bool.',
  );
}
