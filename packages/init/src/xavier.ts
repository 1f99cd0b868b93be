import { initializer, uniform } from './initialize.js';

/**
 * Xavier initialization in its plain form, uniform in +-1/sqrt(fan_in) (Glorot and Bengio 2010, equation 1): the default of
 * PyTorch's layers, and the one whose expected gain of the mean radius per layer is sqrt(fan_in) / 4. The normalized form,
 * +-sqrt(6 / (fan_in + fan_out)), is sqrt(3) times as wide between layers of equal size.
 */
export const xavierInit = initializer(
  () =>
    ({ fanIn, fanOut, rng }) =>
      uniform(rng, fanIn * fanOut, 1 / Math.sqrt(fanIn)),
);
