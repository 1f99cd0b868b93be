/** What a searched field is drawn from. Every distribution is a map from [0, 1), so that a sampler works on plain numbers. */

/** A value of a field. */
export type Value = unknown;

/** The distribution of a field. Plain data, written to `search.json`. */
export type Distribution =
  /** One of the values, each as likely. */
  | { readonly kind: 'choice'; readonly of: readonly Value[] }
  /** A number between both, each as likely. */
  | { readonly kind: 'uniform'; readonly from: number; readonly to: number }
  /** A number between both whose logarithm is uniform. */
  | { readonly kind: 'log-uniform'; readonly from: number; readonly to: number }
  /** A whole number from the first to the second. */
  | { readonly kind: 'integer'; readonly from: number; readonly to: number }
  /** Always the same. */
  | { readonly kind: 'constant'; readonly value: Value };

/** Names of the distributions. */
export const DISTRIBUTIONS = [
  'choice',
  'uniform',
  'log-uniform',
  'integer',
  'constant',
] as const satisfies readonly Distribution['kind'][];

/** The value of a distribution at a place `u` in [0, 1), the quantile. */
export function valueAt(distribution: Distribution, u: number): Value {
  switch (distribution.kind) {
    case 'choice':
      return distribution.of[Math.min(distribution.of.length - 1, Math.floor(u * distribution.of.length))];
    case 'uniform': {
      const { from, to } = distribution;
      return from + u * (to - from);
    }
    case 'log-uniform': {
      const { from, to } = distribution;
      // Rounding must not lead out of the range.
      return Math.min(to, Math.max(from, from * (to / from) ** u));
    }
    case 'integer': {
      const { from, to } = distribution;
      return Math.min(to, from + Math.floor(u * (to - from + 1)));
    }
    case 'constant':
      return distribution.value;
    default:
      return distribution satisfies never;
  }
}

/** A place in [0, 1) of a value, the middle one for values that have several; undefined where the distribution has no such value. */
export function placeOf(distribution: Distribution, value: Value): number | undefined {
  if (distribution.kind === 'choice') {
    const index = distribution.of.findIndex((one) => same(one, value));
    return index < 0 ? undefined : (index + 0.5) / distribution.of.length;
  }
  if (distribution.kind === 'constant') return same(distribution.value, value) ? 0.5 : undefined;
  const { from, to } = distribution;
  if (typeof value !== 'number' || !(value >= from && value <= to)) return undefined;
  const place = {
    uniform: (value - from) / (to - from),
    'log-uniform': Math.log(value / from) / Math.log(to / from),
    integer: Number.isInteger(value) ? (value - from + 0.5) / (to - from + 1) : Number.NaN,
  }[distribution.kind];
  return Number.isNaN(place) ? undefined : Math.min(place, 1 - Number.EPSILON);
}

/** Whether two values of JSON are the same. */
export const same = (a: Value, b: Value): boolean => JSON.stringify(a) === JSON.stringify(b);
