import { adam } from '../../optimizers/adam.js';
import type { Optimizer } from '../../optimizers/optimizer.js';
import { sgd } from '../../optimizers/sgd.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** Optimizers. */
export const OPTIMIZERS = {
  adam: () => adam(),
  sgd: withOptions(
    {
      /** Momentum of `sgd`, from 0 to 1. */
      momentum: { kind: 'number', min: 0, max: 1, default: 0.9, placeholder: 'factor', help: 'momentum of sgd' },
    },
    sgd,
  ),
} satisfies Table<Entry<void, Optimizer>>;
