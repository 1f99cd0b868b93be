import { CertError } from './errors.js';
import type { Shape } from './model.js';
import { type DataRange, eachFeature } from './per-feature.js';

/** How far beyond the range values may lie: the rounding of a normalization to float32. */
const RANGE_SLACK = 1e-6;

/**
 * Checks values on the host against a data range.
 *
 * @param values row-major [count, ...shape]
 * @param range null for no range: then only NaN and infinity are refused
 * @param shape of one input
 * @param first index of the first input, for the message
 * @returns whether values lie beyond an end, by no more than the rounding of a normalization
 * @throws CertError `bad-data` naming the first value that is NaN, infinite or outside the range; `bad-argument` for a range of another
 * length
 */
export function checkInRange(values: ArrayLike<number>, range: DataRange | null, shape: Shape, first = 0): boolean {
  const unlimited = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  const ends = range ?? unlimited;
  const [mins, maxs] = [eachFeature(ends.min, shape), eachFeature(ends.max, shape)];
  const size = mins.length;
  const slackOf = (end: number) => (Number.isFinite(end) ? RANGE_SLACK * Math.max(1, Math.abs(end)) : 0);
  const least = mins.map((min) => min - slackOf(min));
  const most = maxs.map((max) => max + slackOf(max));
  let beyond = false;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const at = i % size;
    if (value >= mins[at]! && value <= maxs[at]! && Number.isFinite(value)) continue;
    beyond = true;
    if (value >= least[at]! && value <= most[at]! && Number.isFinite(value)) continue;
    const where = `Input ${first + Math.floor(i / size)} has the value ${value} at position ${at}`;
    throw Number.isFinite(value)
      ? new CertError(
          'bad-data',
          `${where}, outside the range [${mins[at]}, ${maxs[at]}].`,
          'Give the range of the data to the perturbation set as range: { min, max }, or range: null for data without a range.',
        )
      : new CertError('bad-data', `${where}.`, 'Give finite numbers.');
  }
  return beyond;
}

/**
 * Returns a copy of values in which those beyond an end of a data range are replaced by this end; without a range the same array. Values that
 * {@link checkInRange} accepts may lie slightly beyond an end, and a ball of a smaller radius around such a value would be empty.
 *
 * @param values row-major [count, ...shape]
 * @param range null for no range
 * @param shape of one input
 */
export function clipToRange(values: Float32Array, range: DataRange | null, shape: Shape): Float32Array {
  if (range === null) return values;
  const [mins, maxs] = [eachFeature(range.min, shape), eachFeature(range.max, shape)];
  return values.map((value, i) => Math.min(Math.max(value, mins[i % mins.length]!), maxs[i % maxs.length]!));
}
