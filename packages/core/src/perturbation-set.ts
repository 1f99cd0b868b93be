import type { DataRange, PerFeature } from './per-feature.js';

/**
 * A set of inputs around `x`, feature by feature: `x_i - epsilon down_i <= x'_i <= x_i + epsilon up_i`, clipped to the range. Plain data.
 * Create it with `linf`.
 */
export interface LinfPerturbation {
  readonly kind: 'linf';
  /** The radius, >= 0, in the units of the inputs. Schedules and radius searches replace it. */
  readonly epsilon: number;
  /** Reach downwards in multiples of epsilon, >= 0. */
  readonly down: PerFeature;
  /** Reach upwards in multiples of epsilon, >= 0. */
  readonly up: PerFeature;
  /** Range that inputs are clipped to; null for no range. */
  readonly range: DataRange | null;
  /** One-hot groups that may change to any category: the indices of their features. */
  readonly categories: readonly (readonly number[])[];
}

/** All inputs within the Euclidean distance `epsilon` of `x`, clipped to the range. Plain data. Create it with `l2`. */
export interface L2Perturbation {
  readonly kind: 'l2';
  /** The radius, >= 0, in the units of the inputs. */
  readonly epsilon: number;
  /** Range that inputs are clipped to; null for no range. */
  readonly range: DataRange | null;
}

/** What may change: a set of inputs around each input. */
export type Perturbation = LinfPerturbation | L2Perturbation;
