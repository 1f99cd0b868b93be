import { CertError, type Property } from '@cert/core';
import type { Box64 } from '../float64/enclosure.js';

/** The cases of a property over one box of inputs, in the form in which they are proved: rows of the outputs, in groups. */
export interface Region {
  /** Lower ends, one for each input, rounded down to float32. */
  readonly lower: Float32Array;
  /** Upper ends, rounded up. */
  readonly upper: Float32Array;
  /** The same ends before rounding: a witness lies between these. */
  readonly exact: { readonly lower: Float64Array; readonly upper: Float64Array };
  /** Coefficients of the outputs, [rows, outputs], row-major. */
  readonly matrix: Float32Array;
  /** A row is violated where its product with the outputs is at most this; [rows]. */
  readonly bounds: Float64Array;
  /**
   * The rows of each case. A case is excluded at a point where one of its rows exceeds its bound; the region is safe where all cases are excluded
   * at all points.
   */
  readonly cases: readonly (readonly number[])[];
}

/** Bounds at a node of this magnitude or more prove nothing: widths, products and sums of them may overflow where the bounds themselves do not. */
export const TOO_LARGE = 2 ** 126;

/** How many rows a region has. */
export const rowsOf = ({ bounds }: Region): number => bounds.length;

/** The first input whose ends are no interval: infinite, NaN, or the lower one above the upper one; -1 if there is none. */
export const emptyInput = ({ lower, upper }: Pick<Box64, 'lower' | 'upper'>): number =>
  lower.findIndex((l, i) => !(Number.isFinite(l) && Number.isFinite(upper[i]) && l <= upper[i]!));

/**
 * Checks the boxes and the coefficients of a property.
 *
 * @throws CertError `shape-mismatch` for cases with other numbers of ends or coefficients than the property has inputs and outputs;
 * `bad-argument` for boxes that are empty, infinite or NaN
 */
export function checkCases({ inputs, outputs, cases }: Property): void {
  for (const { lower, upper, outputs: inequalities } of cases) {
    const wrong = inequalities.find(({ coefficients }) => coefficients.length !== outputs);
    if (lower.length !== inputs || upper.length !== inputs || wrong !== undefined) {
      throw new CertError(
        'shape-mismatch',
        wrong === undefined
          ? `A case has ${lower.length} lower and ${upper.length} upper ends, but the property has ${inputs} inputs.`
          : `An inequality has ${wrong.coefficients.length} coefficients, but the property has ${outputs} outputs.`,
        'Give two ends for each input and a coefficient for each output.',
      );
    }
    const i = emptyInput({ lower, upper });
    if (i < 0) continue;
    throw new CertError(
      'bad-argument',
      `Input ${i} of the property lies between ${lower[i]} and ${upper[i]}.`,
      'Give finite bounds with lower <= upper.',
    );
  }
}

/** A property as one property for each of its boxes. */
export function byBox(property: Property): Property[] {
  const groups = new Map<string, Property['cases'][number][]>();
  for (const one of property.cases) {
    const key = `${one.lower.join()}|${one.upper.join()}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((cases) => ({ ...property, cases }));
}

/** Whether properties differ in their boxes alone. */
export function sayTheSame(properties: readonly Property[]): boolean {
  const outputs = ({ cases }: Property) =>
    JSON.stringify(cases.map((one) => one.outputs.map(({ coefficients, bound }) => [...coefficients, bound])));
  const [first, ...others] = properties.map(outputs);
  return others.every((other) => other === first);
}

/**
 * The cases of a property by their boxes. A case without inequalities is a row of zeros that no point exceeds.
 *
 * @throws CertError `bad-argument` for coefficients that are not finite
 */
export function regionsOf(property: Property): Region[] {
  const { outputs } = property;
  return byBox(property).map(({ cases: group }) => {
    const { lower, upper } = group[0]!;
    const inequalities: { readonly coefficients: ArrayLike<number>; readonly bound: number }[] = [];
    const places = new Map<string, number>();
    const place = (coefficients: ArrayLike<number>, bound: number): number => {
      const key = `${Array.from(coefficients).join()}|${bound}`;
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, inequalities.length);
      inequalities.push({ coefficients, bound });
      return inequalities.length - 1;
    };
    const rows = group.map((one) =>
      one.outputs.length === 0
        ? [place(new Float64Array(outputs), 0)]
        : one.outputs.map(({ coefficients, bound }) => place(coefficients, bound)),
    );
    const matrix = new Float32Array(inequalities.length * outputs);
    inequalities.forEach(({ coefficients, bound }, row) => {
      matrix.set(coefficients, row * outputs);
      if (Number.isFinite(bound) && Array.from(coefficients).every((c) => Math.fround(c) === c)) return;
      throw new CertError(
        'bad-argument',
        `An inequality of the property has the coefficients ${Array.from(coefficients).join(', ')} and the bound ${bound}.`,
        'Give finite numbers, and coefficients that are exact in float32.',
      );
    });
    return {
      lower: Float32Array.from(lower, floor32),
      upper: Float32Array.from(upper, ceil32),
      exact: { lower, upper },
      matrix,
      bounds: Float64Array.from(inequalities, ({ bound }) => bound),
      cases: rows,
    };
  });
}

/** Whether outputs satisfy all inequalities of a case. */
export function violates({ matrix, bounds, cases }: Region, one: number, outputs: ArrayLike<number>): boolean {
  const width = outputs.length;
  return cases[one]!.every((row) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += matrix[row * width + j]! * outputs[j]!;
    return sum <= bounds[row]!;
  });
}

const view = new DataView(new ArrayBuffer(4));

/** The next float32 above (`up`) or below one. */
function neighbour(x: number, up: boolean): number {
  if (x === 0) return up ? 2 ** -149 : -(2 ** -149);
  view.setFloat32(0, x);
  view.setInt32(0, view.getInt32(0) + (x > 0 === up ? 1 : -1));
  return view.getFloat32(0);
}

/** The largest float32 that is at most x. */
export function floor32(x: number): number {
  const near = Math.fround(x);
  return near <= x ? near : neighbour(near, false);
}

/** The smallest float32 that is at least x. */
export function ceil32(x: number): number {
  const near = Math.fround(x);
  return near >= x ? near : neighbour(near, true);
}

/** A number moved by more than the rounding of a decimal to float64. */
const outwards = (x: number, sign: 1 | -1): number => x + sign * (Math.abs(x) * 2 ** -52 + Number.MIN_VALUE);

/** The box of a region, each end moved by more than a decimal loses as a float64 number. */
export const boxOf = ({ exact: { lower, upper } }: Region): Box64 => ({
  lower: lower.map((x) => outwards(x, -1)),
  upper: upper.map((x) => outwards(x, 1)),
});

/** A row of a region in float64: it is violated only where its product with the outputs is at most the bound, a decimal's rounding included. */
export function rowAt(
  { matrix, bounds }: Region,
  row: number,
): { readonly coefficients: Float64Array; readonly bound: number } {
  const outputs = matrix.length / bounds.length;
  const bound = bounds[row]!;
  return {
    coefficients: Float64Array.from(matrix.subarray(row * outputs, (row + 1) * outputs)),
    // 0 is what its decimal says.
    bound: bound === 0 ? 0 : outwards(bound, 1),
  };
}
