import { marginSpec, runningNorm } from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  type DataRange,
  linfBall,
  type Model,
  type Params,
  type Stats,
} from '@cert/core';
import { type Device, disposeTree, type HostArray, type OnDevice } from '@cert/jit';
import type { Network } from './evaluate.js';
import type { Hyper } from './optimizer.js';

/** A network's parameters and running statistics inside a compiled function. */
export type NetworkTensors = { readonly params: Params; readonly stats: Stats };

/** Computes lower margins on a device. */
export interface MarginBounder {
  /**
   * @param batch images and labels, always as many
   * @param hyper `epsilon`
   * @returns lower margins [batch, classes - 1]
   */
  lowerMargins(network: Network, batch: OnDevice<Batch>, hyper: OnDevice<Hyper>): Promise<HostArray>;
  dispose(): Promise<void>;
}

/** Where and of what lower margins are computed. */
export interface MarginBounderOptions {
  readonly device: Device;
  readonly model: Model;
  /** The range that perturbed images are clipped to; default [0, 1]. */
  readonly range?: DataRange | null | undefined;
}

/** A way to certify images: a bound method as it runs on a device. */
export interface MarginMethod {
  readonly name: string;
  on(options: MarginBounderOptions): MarginBounder;
}

/** A bound method as one compiled function. */
export const compiled = (method: BoundMethod): MarginMethod => ({
  name: method.name,
  on({ device, model, range }) {
    const bound = device.jit((network: NetworkTensors, { images, labels }: Batch, { epsilon }: Hyper) => {
      const box = linfBall(images, epsilon!, range);
      const spec = marginSpec(labels, model.classes);
      return { lower: method.bound(model, network.params, runningNorm(network.stats), box, spec).output.lower };
    });
    return {
      async lowerMargins(network, batch, hyper) {
        const out = await bound(network, batch, hyper);
        const lower = await out.lower.data();
        disposeTree(out);
        return lower;
      },
      dispose: () => bound.dispose(),
    };
  },
});
