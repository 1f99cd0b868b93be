import { initializer, normal } from './initialize.js';

/**
 * Kaiming initialization N(0, 2 / fan_in) (He et al. 2015, equation 10): keeps the variance of activations through ReLU. The
 * expected gain of the mean radius per layer is sqrt(fan_in / pi).
 */
export const kaimingInit = initializer(
  () =>
    ({ fanIn, fanOut, rng }) =>
      normal(rng, fanIn * fanOut, Math.sqrt(2 / fanIn)),
);
