/** A plug-in of a run, and where to find it again. Plain data. */
export interface PluginRecord {
  /** Its name, as the plug-in gives it. */
  readonly name: string;
  /** The name of a package, or the absolute path of a folder or file; null for one that was passed in as a value. */
  readonly module: string | null;
  /** That of its package; null when it has none. */
  readonly version: string | null;
}

/**
 * Everything that a run depends on. Plain data: `config.json` of a run is one, and replays it. Names are keys of a {@link Catalog};
 * {@link resolveConfig} makes one of a few choices, {@link checkConfig} checks one. Each field but `plugins` is an option of
 * `cert train`.
 */
export interface RunConfig {
  /** A name in {@link PRESETS}; the values that it chose are in the other fields. */
  readonly preset: string;
  /** A name in `Catalog.methods`; the values that it chose are in the other fields. */
  readonly method: string;
  /** What it needs beyond what is built in. */
  readonly plugins: readonly PluginRecord[];
  /** A name in `Catalog.datasets`. */
  readonly dataset: string;
  /** The folder with the files of the dataset; null for its own place (the cache of downloads). */
  readonly data: string | null;
  /** Use only the first so many images of each split; null for all. */
  readonly limit: number | null;
  /** A name in `Catalog.models`. */
  readonly model: string;
  /** Input normalization: `usual` by the dataset's constants, `data` by the moments of the training images, `none`. */
  readonly normalize: string;
  /** Training images mirrored or shifted at random: `flip`, `crop:PIXELS`, `flip,crop:PIXELS`, `none`, or `usual`: by the dataset. */
  readonly augment: string;
  /** Channels of the first stage of the model; null for its own. */
  readonly width: number | null;
  /** Units of its hidden dense layer; null for its own. */
  readonly dense: number | null;
  /** BatchNorm `none`, after every `conv`, or `full`: after the hidden dense layer too; null for its own. */
  readonly batchNorm: string | null;
  /** A name in `Catalog.initializers`. */
  readonly init: string;
  /** Target radius of the l-infinity ball in raw pixel units (pixels being 0 to 1), from 0 to 1. */
  readonly epsilon: number;
  /** Epochs of training. */
  readonly epochs: number;
  /** Images in a minibatch. */
  readonly batchSize: number;
  /** Parts that a minibatch goes through in, to save memory; gradients are averaged. */
  readonly accumulate: number;
  /** Ramp of the radius: `smoothed` or `linear`. */
  readonly schedule: string;
  /** The epoch in which the ramp begins, from 1; those before are natural. */
  readonly rampStart: number;
  /** Length of the ramp in epochs; 0 for the target radius from the first step on. */
  readonly rampLength: number;
  /** A name in `Catalog.optimizers`. */
  readonly optimizer: string;
  /** Momentum of `sgd`, from 0 to 1. */
  readonly momentum: number;
  /** Learning rate until the first milestone. */
  readonly learningRate: number;
  /** Epochs, from 1, after which the learning rate drops. */
  readonly milestones: readonly number[];
  /** What it is multiplied by then, from 0 to 1. */
  readonly learningRateFactor: number;
  /** Largest global norm of the gradients; null for any. */
  readonly clipNorm: number | null;
  /** A name in `Catalog.objectives`. */
  readonly objective: string;
  /** A name in `Catalog.boundMethods`: how bounds are computed in training and in its tests. */
  readonly bound: string;
  /** Steps of the attack that the objective `pgd` trains on. */
  readonly pgdSteps: number;
  /** Their size as a multiple of the radius. */
  readonly pgdStepSize: number;
  /** Names in `Catalog.regularizers`, each alone or as `weight*name`. */
  readonly regularizers: readonly string[];
  /** The weight of them all (lambda). */
  readonly regWeight: number;
  /** `warmup`: their weight falls to 0 over the ramp of the radius; `constant`: it stays. */
  readonly regSchedule: string;
  /** Their tolerance, > 0; the paper uses 0.5. */
  readonly regTolerance: number;
  /** Weight of the natural cross-entropy beside the robust loss. */
  readonly naturalWeight: number;
  /** Of weights, batches, augmentation and attack. */
  readonly seed: number;
  /** Where to compute: a name in `deviceNames` of `@cert/jit/node`, or `auto`. */
  readonly device: string;
  /** Steps of the PGD attack that the final evaluation runs. */
  readonly attackSteps: number;
  /** Its random starts; 0 for no attack. */
  readonly attackRestarts: number;
  /** Images in a minibatch of the evaluation. */
  readonly evalBatchSize: number;
}
