import { type Arithmetic, marginSpec, runningNorm, type SoundLevel } from '@cert/bounds';
import {
  type Batch,
  type BoundMethod,
  type Hyper,
  type Model,
  type Params,
  type Perturbation,
  perturbationBox,
  type Stats,
  sizeOf,
  UNIT_BALL,
} from '@cert/core';
import { type Device, disposeTree, type HostArray, type OnDevice } from '@cert/jit';
import type { BoxEvidence, CertificateEvidence } from './certificate.js';
import { finiteMargins } from './finite-margins.js';

/** A network's parameters and running statistics. */
export type Weights = {
  /** Parameters. */
  readonly params: Params;
  /** Running statistics. */
  readonly stats: Stats;
};

/** A verifier: a bound method that proves margins on a device. */
export interface Verifier {
  /** Name in results. */
  readonly name: string;
  /** Cost, which determines batch sizes and when the verifier is run. */
  readonly cost: VerifierCost;
  /** Prepares the verifier for a model on a device; the caller disposes the result. */
  on(setting: VerifierSetting): Prover;
  /** The same for a level that accounts for rounding; without it nothing is proved there. See `soundVerifier`. */
  soundOn?(setting: SoundSetting): SoundProver;
  /** What a certificate of what it proves there holds, for a checker to prove it again; without it there are no certificates. */
  readonly evidence?: (model: Model) => BoxEvidence;
  /**
   * For a verifier that decides images one by one, and may find that one is misclassified at a point of its ball: used by `certify` instead of
   * `on` and `soundOn`.
   *
   * @param arithmetic what its margins are wanted for
   */
  searchOn?(setting: VerifierSetting, arithmetic: Arithmetic): ImageSearch;
}

/** A verifier that is prepared to decide images one by one. */
export interface ImageSearch {
  /**
   * Decides one image, or gives up.
   *
   * @param weights stay the caller's; the same object for all images of a network
   * @param epsilon the radius of the set, in the units of the image
   */
  search(
    weights: OnDevice<Weights>,
    image: { readonly pixels: Float32Array; readonly label: number },
    epsilon: number,
  ): Promise<SearchedImage>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** What a search finds out about an image. */
export interface SearchedImage {
  /** Its smallest lower margins. */
  readonly margins: LevelMargins;
  /** The margin at a point of the ball that the natural pass misclassifies; null where a logit is not finite. */
  readonly found?: { readonly margin: number | null };
  /** What a certificate of the image holds, where it is proved at the level asked for. */
  readonly evidence?: CertificateEvidence;
}

/** Cost of a verifier for one image. */
export interface VerifierCost {
  /** Linear functions per backward pass; 0 for no backward pass. */
  readonly rows: (model: Model) => number;
  /** Maximum images per batch; default: as many as fit into memory. */
  readonly images?: number;
  /** Whether the verifier is slower than an attack and runs after it. */
  readonly afterAttack: boolean;
}

/** Where and of what margins are proved. */
export interface VerifierSetting {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** The set around each image; its radius is replaced by that of each call. Default: an l-infinity ball, clipped to [0, 1]. */
  readonly perturbation?: Perturbation | undefined;
}

/** Where, of what, and in which sense margins are proved. */
export interface SoundSetting extends VerifierSetting {
  /** What the bounds hold for. */
  readonly level: SoundLevel;
}

/** The smallest lower margin of an image by what it holds for; null where it is NaN or infinite. A missing one was not computed. */
export type LevelMargins = {
  readonly [level in Arithmetic]?: number | null;
} & {
  /** What the bound at the level asked for was computed in. */
  readonly step?: 'float32' | 'float64';
};

/** A verifier that is prepared to prove with rounding accounted for. */
export interface SoundProver {
  /**
   * The smallest lower margins of the first `count` images. Arguments as in {@link Prover.lowerMargins}, with `epsilon` rounded up
   * (`epsilonUp` of `@cert/bounds`).
   *
   * @throws CertError `missing-rule` for an op without sound bounds
   */
  lowerMargins(
    weights: OnDevice<Weights>,
    batch: OnDevice<Batch>,
    hyper: OnDevice<Hyper>,
    count: number,
  ): Promise<readonly LevelMargins[]>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** A verifier that is prepared for a model on a device. */
export interface Prover {
  /**
   * Lower bounds of logit_y - logit_j over the perturbation set, with running statistics. Disposes none of its arguments.
   *
   * @param batch images and labels, always as many
   * @param hyper `epsilon`, the radius in the units of the images
   * @returns [batch, classes - 1], row-major; each row in the order of the other classes. NaN for an image with a bound at any node that
   * is not finite.
   */
  lowerMargins(weights: OnDevice<Weights>, batch: OnDevice<Batch>, hyper: OnDevice<Hyper>): Promise<HostArray>;
  /** Frees the compiled functions. */
  dispose(): Promise<void>;
}

/** A method that may pass back a row for each margin. */
const ROW_PER_MARGIN: VerifierCost = { rows: ({ classes }) => classes - 1, afterAttack: false };

/**
 * Returns a bound method as a {@link Verifier}: one compiled function from images to margins.
 *
 * @param cost default: a row for each margin, before the attack
 * @param boxOf makes the box; default `perturbationBox` of `@cert/core`
 */
export const boundVerifier = (
  method: BoundMethod,
  cost: VerifierCost = ROW_PER_MARGIN,
  boxOf: typeof perturbationBox = perturbationBox,
): Verifier => ({
  name: method.name,
  cost,
  on({ device, model, perturbation = UNIT_BALL }) {
    const bound = device.jit(({ params, stats }: Weights, { images, labels }: Batch, { epsilon }: Hyper) => {
      const network = { model, params, norm: runningNorm(stats) };
      const box = boxOf(perturbation, images, epsilon!);
      const bounds = method.bound({ network, box, spec: marginSpec(labels, model.classes) });
      return { lower: finiteMargins(network, bounds) };
    });
    return {
      async lowerMargins(weights, batch, hyper) {
        const out = await bound(weights, batch, hyper);
        const lower = await out.lower.data();
        disposeTree(out);
        return lower;
      },
      dispose: () => bound.dispose(),
    };
  },
});

/** Numbers of float32 that 64 MiB hold: what the rows that a verifier passes back may take at the largest layer. */
const BUDGET = 2 ** 24;

/** How many images a verifier takes at once. @param most the size of other batches */
export function batchSizeOf({ cost }: Verifier, model: Model, most: number): number {
  const largest = Math.max(...model.nodes.map(({ shape }) => sizeOf(shape)));
  const fits = Math.floor(BUDGET / (largest * Math.max(1, cost.rows(model))));
  return Math.max(1, Math.min(most, fits, cost.images ?? most));
}
