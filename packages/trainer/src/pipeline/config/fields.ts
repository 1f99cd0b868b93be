/** What every configuration has, each field listed once: its type, default, option and help come from here. */
import { devices } from '@cert/jit/node';
import { RAMPS, RATE_SCHEDULES, REG_SCHEDULES } from '../catalog/schedules.js';
import { AVERAGES, EMA_DECAY } from './averaging.js';
import { CLASS_WEIGHTS } from './class-weights.js';
import type { CommonField } from './field.js';
import { AUGMENTATION, NORMALIZATIONS } from './image-options.js';

/** Devices of the command, each with what it is. */
const DEVICES: { readonly [name: string]: string } = {
  auto: 'fastest available',
  ...Object.fromEntries(devices.map(({ name, about }) => [name, about])),
};

const keys = <T extends object>(table: T) => Object.keys(table) as Extract<keyof T, string>[];

/** Fields of every configuration, in help order. Options of single catalog entries are declared in the catalog. */
export const FIELDS = {
  /** A name in `Catalog.datasets`. */
  dataset: { kind: 'name', of: 'datasets', what: 'dataset', help: 'dataset' },
  /** Use only the first N images of each split; null for all. */
  limit: {
    kind: 'integer',
    min: 1,
    orNone: true,
    default: null,
    placeholder: 'images',
    help: 'use only the first N images of each split; "none": all',
  },
  /** Share of the training split that is held out, and tested after each epoch instead of the test split; 0 for none. */
  validation: {
    kind: 'number',
    min: 0,
    max: 0.9,
    default: 0,
    before: 0,
    placeholder: 'fraction',
    help: 'share of the training split to hold out: epochs are tested, and the best checkpoint is chosen, on it instead of the test split',
  },
  /** A name in `Catalog.models`. */
  model: { kind: 'name', of: 'models', what: 'model', help: 'architecture' },
  /** Input normalization: `usual` by the dataset's constants, `data` by the moments of the training images, `none`. */
  normalize: {
    kind: 'choice',
    of: keys(NORMALIZATIONS),
    what: 'input normalization',
    default: 'usual',
    before: 'usual',
    placeholder: 'by',
    about: { usual: 'constants of the dataset', data: 'moments of the training images' },
    help: 'input normalization',
  },
  /** Training images mirrored or shifted at random: `flip`, `crop:PIXELS`, `flip,crop:PIXELS`, `none`, or `usual`: by the dataset. */
  augment: {
    kind: 'text',
    pattern: AUGMENTATION,
    wanted: 'flip, crop:PIXELS, flip,crop:PIXELS, none or usual',
    default: 'usual',
    before: 'usual',
    placeholder: 'how',
    help: 'augmentation of the training images: flip, crop:4, flip,crop:4, none, or usual (as set by the dataset)',
  },
  /** A name in `Catalog.initializers`. */
  init: {
    kind: 'name',
    of: 'initializers',
    what: 'initialization',
    aliases: { he: 'kaiming', glorot: 'xavier' },
    default: 'ibp',
    help: 'initialization',
  },
  /** A checkpoint file or run folder whose parameters and statistics replace the initialization; null for none. */
  warmStart: {
    kind: 'text',
    orNone: true,
    default: null,
    before: null,
    placeholder: 'file',
    wanted: 'a checkpoint file or the folder of a run',
    help: 'checkpoint file or run folder (last checkpoint) of the same architecture to start from, instead of an initialization',
  },
  /** The SHA-256 of that file, in hexadecimal; a run records it. Null: any. */
  warmStartSha256: {
    kind: 'text',
    orNone: true,
    default: null,
    before: null,
    pattern: /^[0-9a-f]{64}$/,
    placeholder: 'hex',
    wanted: '64 hexadecimal digits',
    help: 'refuse a --warm-start file with another SHA-256; config.json records that of the file',
  },
  /** Target radius in the units of the data. */
  epsilon: {
    kind: 'number',
    min: 0,
    radius: true,
    placeholder: 'radius',
    help: 'radius of the perturbation set in the units of the data, such as 0.1 or 8/255',
  },
  /** What may change; null for the l-infinity ball in the range of the dataset. */
  perturbation: {
    kind: 'perturbation',
    orNone: true,
    default: null,
    before: null,
    help: 'JSON file with the perturbation set: l2, or a radius per feature, immutable features, ranges, categories; "none": the l-infinity ball',
  },
  /** Radius in training as a multiple of `epsilon`. Tests use `epsilon`. */
  trainRadius: {
    kind: 'number',
    above: 0,
    default: 1,
    before: 1,
    placeholder: 'radii',
    help: 'radius in training as a multiple of epsilon; tests use epsilon',
  },
  /** Tolerance of a regression in the units of the label; null for the standard deviation of the training labels. */
  delta: {
    kind: 'number',
    above: 0,
    orNone: true,
    default: null,
    before: null,
    placeholder: 'tolerance',
    help: 'regression: predictions count as wrong if they are off by this much or more, in the units of the label; "none": its standard deviation',
  },
  /** Epochs of training. */
  epochs: { kind: 'integer', min: 1, help: 'number of epochs; presets scale the ramp and milestones accordingly' },
  /** Epochs at the target radius without a better one on the validation images, after which training stops; null for none. */
  patience: {
    kind: 'integer',
    min: 1,
    orNone: true,
    default: null,
    before: null,
    placeholder: 'epochs',
    help: 'stop after N epochs at the target radius without a better best checkpoint (needs --validation); "none": train all epochs',
  },
  /** Images in a minibatch. */
  batchSize: { kind: 'integer', min: 1, placeholder: 'images', help: 'images in a minibatch' },
  /** Parts that a minibatch goes through in, to save memory; gradients are averaged. */
  accumulate: {
    kind: 'integer',
    min: 1,
    default: 1,
    before: 1,
    placeholder: 'parts',
    help: 'split each minibatch into N parts to save memory; gradients are averaged',
  },
  /** Ramp of the radius. */
  schedule: {
    kind: 'choice',
    of: keys(RAMPS),
    what: 'schedule',
    default: 'smoothed',
    help: 'shape of the ramp of the radius',
  },
  /** The epoch in which the ramp begins, from 1; those before are natural. */
  rampStart: {
    kind: 'integer',
    min: 1,
    placeholder: 'epoch',
    help: 'first epoch of the ramp, from 1; earlier epochs use the natural loss',
  },
  /** Length of the ramp in epochs; 0 for the target radius from the first step on. */
  rampLength: { kind: 'integer', min: 0, placeholder: 'epochs', help: 'length of the ramp in epochs' },
  /** A name in `Catalog.optimizers`. */
  optimizer: { kind: 'name', of: 'optimizers', what: 'optimizer', default: 'adam', help: 'optimizer' },
  /** Learning rate: until the first milestone, or at the peak of its schedule. */
  learningRate: {
    kind: 'number',
    min: 0,
    default: 5e-4,
    placeholder: 'rate',
    help: 'learning rate; the peak of cosine and one-cycle',
  },
  /** The learning rate over time: `steps` drops at the milestones; the others depend on the number of epochs alone. */
  rateSchedule: {
    kind: 'choice',
    of: keys(RATE_SCHEDULES),
    what: 'learning rate schedule',
    default: 'steps',
    before: 'steps',
    about: {
      steps: 'drops at the milestones',
      cosine: 'falls to 0 along half a cosine',
      'one-cycle': 'rises from 1/25 for 30 % of the steps, then falls to almost 0',
    },
    help: 'learning rate over time',
  },
  /** Epochs of linear warm-up before the decay of `cosine`. */
  rateWarmup: {
    kind: 'integer',
    min: 0,
    default: 0,
    before: 0,
    placeholder: 'epochs',
    help: 'epochs in which the learning rate of cosine first grows linearly to its peak',
  },
  /** Epochs, from 1, after which the learning rate drops. */
  milestones: {
    kind: 'numbers',
    min: 0,
    wanted: 'comma-separated epochs >= 0',
    placeholder: 'epochs',
    help: 'epochs after which the learning rate of steps drops, such as 8,10; "none": never',
  },
  /** Factor applied to the learning rate at each milestone, from 0 to 1. */
  learningRateFactor: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0.2,
    placeholder: 'factor',
    help: 'factor applied to the learning rate at each milestone',
  },
  /** Largest global norm of the gradients; null for any. */
  clipNorm: {
    kind: 'number',
    above: 0,
    orNone: true,
    default: 10,
    placeholder: 'norm',
    help: 'maximum global gradient norm; "none": no clipping',
  },
  /** Weights that are tested, saved and certified: those of training, or their average over epochs. */
  average: {
    kind: 'choice',
    of: keys(AVERAGES),
    what: 'average of the weights',
    default: 'none',
    before: 'none',
    about: {
      none: 'the trained weights',
      swa: 'equal average, one sample per epoch',
      ema: 'exponential moving average, one sample per step',
    },
    help: 'weights to evaluate and save; averages use population statistics in BatchNorm',
  },
  /** First epoch of the average, from 1; null for the last quarter of the epochs, after the ramp. */
  averageStart: {
    kind: 'integer',
    min: 1,
    orNone: true,
    default: null,
    before: null,
    placeholder: 'epoch',
    help: 'first epoch of --average, from 1; "none": the last quarter of the epochs, after the ramp',
  },
  /** Decay of `--average ema` per step, less than 1. */
  emaDecay: {
    kind: 'number',
    min: 0,
    max: 1,
    default: EMA_DECAY,
    before: EMA_DECAY,
    placeholder: 'factor',
    help: 'decay of --average ema per step, less than 1',
  },
  /** Whether evaluations use population statistics, recomputed over the training images after each epoch, instead of running ones. */
  preciseBatchNorm: {
    kind: 'boolean',
    default: false,
    before: false,
    help: 'recompute BatchNorm statistics over the training images after each epoch, for evaluation',
  },
  /** A name in `Catalog.objectives`. */
  objective: {
    kind: 'name',
    of: 'objectives',
    what: 'objective',
    default: 'robust',
    before: 'robust',
    help: 'training objective',
  },
  /** A name in `Catalog.boundMethods`: how bounds are computed in training and in its tests. */
  bound: {
    kind: 'name',
    of: 'boundMethods',
    what: 'bound method',
    default: 'ibp',
    before: 'ibp',
    help: 'bound method in training and in the test after each epoch',
  },
  /** Names in `Catalog.regularizers`, each alone or as `weight*name`. */
  regularizers: {
    kind: 'weighted',
    of: 'regularizers',
    what: 'regularizer',
    default: ['tightness', 'relu-balance'],
    help: 'comma-separated regularizers, each alone or as weight*name, or "none"',
  },
  /** Weights of the classes in the loss: `balanced` (n / (classes * n_c) over the training split), `none`, or one number per class. */
  classWeights: {
    kind: 'text',
    pattern: CLASS_WEIGHTS,
    wanted: 'balanced, none, or comma-separated numbers >= 0, one per class',
    default: 'none',
    before: 'none',
    placeholder: 'weights',
    help: 'weights of the classes in the loss: balanced (inverse frequency in the training split), none, or one per class such as 1,5',
  },
  /** The weight of the sum of all regularizers (lambda). */
  regWeight: {
    kind: 'number',
    min: 0,
    default: 0.5,
    placeholder: 'factor',
    help: 'weight of the sum of all regularizers (lambda)',
  },
  /** `warmup`: the weight of the regularizers decreases to 0 over the ramp of the radius; `constant`: it stays. */
  regSchedule: {
    kind: 'choice',
    of: keys(REG_SCHEDULES),
    what: 'weighting of regularizers',
    default: 'warmup',
    before: 'warmup',
    about: { warmup: 'decreases to 0 over the ramp', constant: 'does not change' },
    help: 'weight of the regularizers over time',
  },
  /** Weight of the sum of absolute kernel values, in every step. */
  l1: {
    kind: 'number',
    min: 0,
    default: 0,
    before: 0,
    placeholder: 'factor',
    help: 'weight of the sum of absolute kernel values (L1), added to the loss in every step',
  },
  /** Seed of weights, batches, augmentation and attack. */
  seed: { kind: 'integer', min: 0, default: 0, help: 'seed of initialization, batches, augmentation and attack' },
  /** Where to compute: a name in `deviceNames` of `@cert/jit`, or `auto`. */
  device: {
    kind: 'choice',
    of: Object.keys(DEVICES),
    what: 'device',
    default: 'auto',
    about: DEVICES,
    help: 'compute device',
  },
  /** Minutes of training after which a checkpoint is written within an epoch too; null for the ends of epochs alone. */
  checkpointMinutes: {
    kind: 'number',
    above: 0,
    orNone: true,
    default: 10,
    before: null,
    placeholder: 'minutes',
    help: 'minutes between checkpoints within an epoch; "none": only at the end of each epoch',
  },
  /** Steps of the PGD attack that the final evaluation runs. */
  attackSteps: { kind: 'integer', min: 1, default: 40, help: 'steps of the PGD attack in the final evaluation' },
  /** Random starts of that attack; 0 for no attack. */
  attackRestarts: { kind: 'integer', min: 0, default: 3, help: 'random restarts of the PGD attack; 0: no attack' },
  /** Images in a minibatch of the evaluation. */
  evalBatchSize: {
    kind: 'integer',
    min: 1,
    default: 250,
    placeholder: 'images',
    help: 'images per batch in the evaluation',
  },
} as const satisfies { readonly [name: string]: CommonField };
