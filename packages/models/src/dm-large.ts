import type { Model } from '@cert/core';
import { type Cnn7Options, cnn7 } from './cnn7.js';

/** Options of {@link dmLarge}: a subset of the options of {@link cnn7}. */
export type DmLargeOptions = Omit<Cnn7Options, 'batchNorm' | 'lastStride'>;

/**
 * The large network of Gowal et al. (2018), a common benchmark for interval bounds: 3x3 convolutions with 64, 64, 128
 * (stride 2), 128 and 128 channels, 512 hidden units, no BatchNorm. The same as {@link cnn7} with `batchNorm: 'none'`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers
 */
export const dmLarge = (options: DmLargeOptions): Model => cnn7({ ...options, batchNorm: 'none' });
