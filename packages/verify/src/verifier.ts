import { marginSpec, runningNorm } from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  type DataRange,
  type Hyper,
  linfBall,
  type Model,
  type Params,
  type Stats,
} from '@cert/core';
import { type Device, disposeTree, type HostArray, type OnDevice } from '@cert/jit';
import type { Network } from './evaluate.js';
import { finiteMargins } from './finite-margins.js';

/** A network's parameters and running statistics inside a compiled function. */
export type NetworkTensors = { readonly params: Params; readonly stats: Stats };

/** Computes lower margins on a device. */
export interface MarginBounder {
  /**
   * Lower bounds of logit_y - logit_j over the clipped ball, with running statistics. Disposes none of its arguments.
   *
   * @param batch images and labels, always as many
   * @param hyper `epsilon`, the radius in the units of the images
   * @returns [batch, classes - 1], row-major; each row in the order of the other classes
   */
  lowerMargins(network: Network, batch: OnDevice<Batch>, hyper: OnDevice<Hyper>): Promise<HostArray>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** Where and of what lower margins are computed. */
export interface MarginBounderOptions {
  /** Where to compute. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** The range that perturbed images are clipped to; default [0, 1]. */
  readonly range?: DataRange | null | undefined;
}

/** A way to certify images: a bound method as it runs on a device. */
export interface MarginMethod {
  /** The name that results give it. */
  readonly name: string;
  /** Prepares it for a model on a device; the result is the caller's to dispose. */
  on(options: MarginBounderOptions): MarginBounder;
}

/** A bound method as a {@link MarginMethod}: one compiled function from images to margins. */
export const marginMethod = (method: BoundMethod): MarginMethod => ({
  name: method.name,
  on({ device, model, range }) {
    const bound = device.jit((network: NetworkTensors, { images, labels }: Batch, { epsilon }: Hyper) => {
      const box = linfBall(images, epsilon!, range);
      const spec = marginSpec(labels, model.classes);
      const norm = runningNorm(network.stats);
      return { lower: finiteMargins(model, method.bound(model, network.params, norm, box, spec), norm) };
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

/** A method that proves margins of single images, and what it costs. */
export interface Certifier {
  /** The method as it runs on a device. */
  readonly method: MarginMethod;
  /** How many linear functions it passes back through the model at a time for one image: what batches are sized by. */
  readonly rows: (classes: number) => number;
  /** Whether it costs more than an attack on the image. */
  readonly afterAttack: boolean;
}
