import { adam } from '../../optimizers/adam.js';
import { adamw } from '../../optimizers/adamw.js';
import type { Optimizer } from '../../optimizers/optimizer.js';
import { radam } from '../../optimizers/radam.js';
import { sgd } from '../../optimizers/sgd.js';
import type { Fields } from '../config/field.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** A decay of 1 would never forget, and its bias correction would divide by 0. */
const LARGEST_BETA = 0.999999;

/** Of Adam and its variants. */
const moments = {
  /** Decay of the first moment. */
  adamBeta1: {
    kind: 'number',
    min: 0,
    max: LARGEST_BETA,
    default: 0.9,
    before: 0.9,
    placeholder: 'factor',
    help: 'decay of the mean of the gradients per step (beta 1)',
  },
  /** Decay of the second moment. */
  adamBeta2: {
    kind: 'number',
    min: 0,
    max: LARGEST_BETA,
    default: 0.999,
    before: 0.999,
    placeholder: 'factor',
    help: 'decay of the mean of the squared gradients per step (beta 2)',
  },
  /** Added to the root of the second moment. */
  adamEpsilon: {
    kind: 'number',
    above: 0,
    default: 1e-8,
    before: 1e-8,
    help: 'number added to the root of the mean of the squared gradients',
  },
} as const satisfies Fields;

/** Of optimizers whose weight decay is an L2 penalty. */
const penalty = {
  /** L2 penalty of the kernels: this factor times the kernel is added to its gradient, after clipping. */
  l2Decay: {
    kind: 'number',
    min: 0,
    default: 0,
    before: 0,
    placeholder: 'factor',
    help: 'L2 weight decay: add this factor times the kernel to its gradient (kernels only, not biases and BatchNorm)',
  },
} as const satisfies Fields;

/** The options of {@link moments} as a function takes them. */
const momentsOf = (options: { readonly [K in keyof typeof moments]: number }) => ({
  beta1: options.adamBeta1,
  beta2: options.adamBeta2,
  epsilon: options.adamEpsilon,
});

/** Optimizers. */
export const OPTIMIZERS = {
  adam: withOptions({ ...moments, ...penalty }, (options) => adam({ ...momentsOf(options), l2: options.l2Decay })),
  adamw: withOptions(
    {
      ...moments,
      /** Decoupled weight decay of the kernels: each step takes this factor times the learning rate of a kernel away from it. */
      weightDecay: {
        kind: 'number',
        min: 0,
        default: 0.01,
        placeholder: 'factor',
        help: 'decoupled weight decay: each step multiplies kernels by 1 - learning rate * factor (not biases and BatchNorm)',
      },
    },
    (options) => adamw({ ...momentsOf(options), weightDecay: options.weightDecay }),
  ),
  radam: withOptions({ ...moments, ...penalty }, (options) => radam({ ...momentsOf(options), l2: options.l2Decay })),
  sgd: withOptions(
    {
      /** Momentum of `sgd`, from 0 to 1. */
      momentum: { kind: 'number', min: 0, max: 1, default: 0.9, placeholder: 'factor', help: 'momentum of sgd' },
      ...penalty,
    },
    ({ momentum, l2Decay }) => sgd({ momentum, l2: l2Decay }),
  ),
} satisfies Table<Entry<void, Optimizer>>;
