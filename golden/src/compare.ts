import type { Field, Numbers } from './field.js';

/** How far a number may be from the file's: |difference| <= absolute + relative * |expected|. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
  /** Why it is coarser than usual. */
  readonly why?: string;
}

/** Bounds, losses, margins. */
export const VALUE: Tolerance = { relative: 1e-4, absolute: 1e-5 };

/** Ten roundings of float32, relative to the largest of the numbers that are compared. */
const ROUNDINGS = 10 * 2 ** -23;

/**
 * What a file says of itself: `max_abs_f32_vs_f64` is how far its float32 numbers are from the same in float64, and ours may be ten
 * times as far, or 1e-5 relative. Bounds are sums in which larger numbers cancel, hence ten roundings of the largest in any case.
 *
 * @param figure the entry of `max_abs_f32_vs_f64`; where the file has none, 1e-5 absolute
 */
export function ownTolerance(file: Field, figure: string, expected: Numbers | number): Tolerance {
  const figures = file.has('max_abs_f32_vs_f64') ? file.get('max_abs_f32_vs_f64') : undefined;
  const allowed = figures?.has(figure) ? 10 * figures.get(figure).number() : 1e-5;
  const numbers = typeof expected === 'number' ? [expected] : expected.data;
  const largest = numbers.reduce((max, number) => (Number.isFinite(number) ? Math.max(max, Math.abs(number)) : max), 0);
  return { relative: 1e-5, absolute: Math.max(allowed, ROUNDINGS * largest) };
}

/** Numbers that both sides compute in double precision. */
export const EXACT: Tolerance = { relative: 1e-12, absolute: 0 };

/** One line of the report: one quantity of one file on one device. */
export interface Row {
  readonly file: string;
  readonly device: string;
  readonly quantity: string;
  readonly outcome: 'pass' | 'FAIL' | 'not covered';
  /** Largest absolute difference; NaN where nothing was compared. */
  readonly absolute: number;
  /** Largest relative difference; a difference from 0 counts in the absolute one only. */
  readonly relative: number;
  readonly tolerance?: Tolerance;
  /** Where the worst number is, or what went wrong. */
  readonly note?: string;
}

/** Values of ours: from a device, or plain numbers. */
export type Actual = ArrayLike<number> | number | undefined;

/** Collects the comparisons of one file on one device; quantities that are added several times share a row. */
export class Comparison {
  private readonly quantities = new Map<string, Quantity>();

  constructor(
    readonly file: string,
    readonly device: string,
  ) {}

  /** Compares element by element; `where` says which part of the quantity this is. */
  add(quantity: string, actual: Actual, expected: Numbers | number, tolerance: Tolerance = VALUE, where = ''): void {
    const wanted = typeof expected === 'number' ? [expected] : expected.data;
    const got = typeof actual === 'number' ? [actual] : actual;
    const entry = this.entry(quantity, tolerance);
    const part = where === '' ? 'the value' : where;
    if (got === undefined) entry.fail(`${part} was not computed`);
    else if (got.length !== wanted.length) entry.fail(`${part} has ${got.length} numbers, not ${wanted.length}`);
    else {
      for (const [i, number] of wanted.entries())
        entry.compare(got[i]!, number, wanted.length > 1 ? `${where}[${i}]` : where);
    }
  }

  /** Compares with limits that the numbers may not exceed. */
  addAtMost(quantity: string, actual: readonly number[], limits: Numbers, tolerance: Tolerance): void {
    // NaN is not at most anything: the limit is then what was expected.
    const wanted = limits.data.map((limit, i) => (Number.isNaN(actual[i]) ? limit : Math.min(actual[i]!, limit)));
    this.add(quantity, actual, { ...limits, data: wanted }, tolerance);
  }

  /** A quantity that could not be compared. */
  fail(quantity: string, problem: string): void {
    this.entry(quantity, VALUE).fail(problem);
  }

  rows(): Row[] {
    const { file, device } = this;
    return [...this.quantities].map(([quantity, entry]) => ({ file, device, quantity, ...entry.result() }));
  }

  private entry(quantity: string, tolerance: Tolerance): Quantity {
    const entry = this.quantities.get(quantity) ?? new Quantity();
    this.quantities.set(quantity, entry);
    entry.allow(tolerance);
    return entry;
  }
}

class Quantity {
  private absolute = 0;
  private relative = 0;
  private count = 0;
  private problem: string | undefined;
  private worst = { excess: 0, where: '' };

  /** What the next numbers are compared with. */
  private tolerance: Tolerance = VALUE;
  /** The widest of all, for the report. */
  private widest: Tolerance = EXACT;

  allow(tolerance: Tolerance): void {
    this.tolerance = tolerance;
    const { relative, absolute } = this.widest;
    if (tolerance.absolute > absolute || tolerance.relative > relative) this.widest = tolerance;
  }

  fail(problem: string): void {
    this.problem ??= problem;
  }

  compare(got: number, wanted: number, where: string): void {
    this.count++;
    if (Object.is(got, wanted) || got === wanted) return;
    // NaN, and infinities that differ, are as far away as can be.
    const finite = Number.isFinite(got) && Number.isFinite(wanted);
    const difference = finite ? Math.abs(got - wanted) : Number.POSITIVE_INFINITY;
    this.absolute = Math.max(this.absolute, difference);
    if (wanted !== 0) this.relative = Math.max(this.relative, finite ? difference / Math.abs(wanted) : difference);
    const allowed = this.tolerance.absolute + this.tolerance.relative * Math.abs(wanted);
    const excess = finite ? difference / allowed : Number.POSITIVE_INFINITY;
    if (excess > this.worst.excess) this.worst = { excess, where: `${where} ${got} for ${wanted}`.trim() };
  }

  result(): Pick<Row, 'outcome' | 'absolute' | 'relative' | 'tolerance' | 'note'> {
    const { widest: tolerance, problem, worst, count } = this;
    if (problem !== undefined || count === 0) {
      return { outcome: 'FAIL', absolute: Number.NaN, relative: Number.NaN, tolerance, note: problem ?? 'empty' };
    }
    const passed = worst.excess <= 1;
    const note = passed ? tolerance.why : worst.where;
    return {
      outcome: passed ? 'pass' : 'FAIL',
      absolute: this.absolute,
      relative: this.relative,
      tolerance,
      ...(note === undefined ? {} : { note }),
    };
  }
}
