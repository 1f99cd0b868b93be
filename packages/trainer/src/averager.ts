import { type Hyper, type Params, tf, toHost, zipParams } from '@cert/core';
import { type Device, disposeTree, type OnDevice, putParams, putScalars } from '@cert/jit';

/** Keeps the average of parameters on a device. */
export interface Averager {
  /**
   * The average with one more sample of the parameters, (1 - weight) average + weight params; a copy of the parameters at the weight 1. Frees
   * the average before it.
   */
  add(average: OnDevice<Params> | undefined, params: OnDevice<Params>, weight: number): Promise<OnDevice<Params>>;
  /** Frees the compiled function. */
  dispose(): Promise<void>;
}

/** {@link Averager} of a device; one trace for one model. */
export function createAverager(device: Device): Averager {
  const blend = device.jit((average: Params, params: Params, { weight }: Hyper) =>
    zipParams((a, p) => tf.add(a, tf.mul(tf.sub(p, a), weight!)), average, params),
  );
  return {
    async add(average, params, weight) {
      if (average === undefined || weight === 1) {
        disposeTree(average);
        return putParams(device, await toHost(params));
      }
      const scalars = putScalars(device, { weight });
      const next = await blend(average, params, scalars);
      disposeTree([average, scalars]);
      return next;
    },
    dispose: () => blend.dispose(),
  };
}
