/** What certificates claim, in numbers that are exact: sets of inputs, and what holds on them. */
import { CertError, categoryVariants, type Perturbation } from '@cert/core';
import { sha256 } from '@cert/models';
import { isBall } from './attack/perturbed.js';
import { toBase64 } from './base64.js';
import type { Certificate, CertificateOptions, CertifiedBox } from './certificate.js';
import { emptyInput } from './complete/region.js';
import { type Box64, boxAround } from './float64/enclosure.js';

/**
 * The inputs that a certificate speaks of: a ball around the input where the radius and the range are the same for all features, else the
 * boxes of the set. A Euclidean ball that was proved by splits is claimed with the box around it, which these splits are about, and so is a
 * ball around an input so far outside the range, by rounding, that no point of the ball is inside.
 */
export function claimedSet({
  perturbation,
  pixels,
  shape,
  evidence,
}: Pick<CertificateOptions, 'perturbation' | 'pixels' | 'shape' | 'evidence'>): Pick<
  Certificate,
  'input' | 'perturbation'
> {
  const { kind, range, epsilon } = perturbation;
  if (
    hasOneRange(perturbation) &&
    !missesRange(perturbation, pixels) &&
    (kind === 'l2' ? evidence.kind !== 'tree' : isBall(perturbation))
  ) {
    const bytes = littleEndian(pixels);
    return {
      input: { shape, data: toBase64(bytes), sha256: sha256(bytes) },
      perturbation: {
        ...{ kind, epsilon: decimal(epsilon) },
        range: range && [decimal(range.min as number), decimal(range.max as number)],
      },
    };
  }
  const { inputs, perturbation: fixed } =
    kind === 'l2' || perturbation.categories.length === 0
      ? { inputs: [pixels], perturbation }
      : categoryVariants(perturbation, pixels, shape);
  const boxes = inputs.map((input) => claimedBox(boxAround(input, fixed, shape, epsilon)));
  return { input: { shape }, perturbation: { kind: 'boxes', boxes } };
}

/** Whether no point of a ball lies in its range. */
const missesRange = ({ range, epsilon }: Perturbation, pixels: Float32Array): boolean =>
  range !== null && pixels.some((x) => x - epsilon > Number(range.max) || x + epsilon < Number(range.min));

/** Whether the range is the same for all features. */
export const hasOneRange = ({ range }: Perturbation): boolean =>
  range === null || (typeof range.min === 'number' && typeof range.max === 'number');

/** @throws CertError `bad-argument` for a box that is empty, infinite or NaN */
function claimedBox({ lower, upper }: Box64): CertifiedBox {
  const i = emptyInput({ lower, upper });
  if (i >= 0) {
    throw new CertError(
      'bad-argument',
      `Feature ${i} of the set lies between ${lower[i]} and ${upper[i]}.`,
      'Give a finite radius, and an input inside the range.',
    );
  }
  return {
    lower: Array.from(lower, (end) => decimal(away(end, -1))),
    upper: Array.from(upper, (end) => decimal(away(end, 1))),
  };
}

/** Ends closer to 0 than this would have decimals of hundreds of digits. */
const SMALLEST_END = 1e-20;

/** An end that is close to 0, moved to 0 or outwards. */
const away = (end: number, sign: 1 | -1): number => {
  if (end === 0 || Math.abs(end) >= SMALLEST_END) return end;
  return end * sign > 0 ? sign * SMALLEST_END : 0;
};

/** The logit of the label is larger than that of every other class. */
export const claimedLabel = (label: number, classes: number): Certificate['property'] => ({
  kind: 'label',
  ...{ label, classes },
});

/** The output is less than delta away from the target: neither too low nor too high, in this order. The interval is rounded inwards. */
export function claimedTolerance({
  target,
  delta,
}: NonNullable<CertificateOptions['tolerance']>): Certificate['property'] {
  const missed = (sign: 1 | -1) => {
    const bound = sign * target - delta;
    return [{ coefficients: [sign], bound: decimal(away(bound + (Math.abs(target) + delta) * 2 ** -51, 1)) }];
  };
  return { kind: 'linear', classes: 1, cases: [missed(1), missed(-1)] };
}

/** A number as the shortest decimal that stands for it, without an exponent. */
export function decimal(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e');
  if (exponent === undefined) return mantissa;
  const [sign, digits] = mantissa.startsWith('-') ? ['-', mantissa.slice(1)] : ['', mantissa];
  const [whole = '', fraction = ''] = digits.split('.');
  const point = whole.length + Number(exponent);
  const all = whole + fraction;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${all}`;
  if (point >= all.length) return sign + all + '0'.repeat(point - all.length);
  return `${sign}${all.slice(0, point)}.${all.slice(point)}`;
}

function littleEndian(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setFloat32(4 * i, value, true);
  });
  return bytes;
}
