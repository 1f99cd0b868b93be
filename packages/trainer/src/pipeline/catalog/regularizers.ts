import type { Regularizer } from '@cert/core';
import { l1, reluBalance, reluStability, tightness, volume } from '@cert/regularizers';
import type { Fields } from '../config/field.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** Of the regularizers of the paper. */
const tolerant = {
  /** Tolerance of `tightness` and `relu-balance`, > 0; the paper uses 0.5. */
  regTolerance: {
    kind: 'number',
    above: 0,
    default: 0.5,
    placeholder: 'ratio',
    help: 'ratio below which tightness or balance is penalized',
  },
} as const satisfies Fields;

/** Regularizers. */
export const REGULARIZERS = {
  tightness: withOptions(tolerant, ({ regTolerance }) => tightness({ tolerance: regTolerance })),
  'relu-balance': withOptions(tolerant, ({ regTolerance }) => reluBalance({ tolerance: regTolerance })),
  'relu-stability': () => reluStability(),
  volume: () => volume(),
  l1: () => l1(),
} satisfies Table<Entry<void, Regularizer>>;
