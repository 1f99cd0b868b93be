/** A linear program over a box: the smallest c . x with rows x >= least, lower <= x <= upper. */
export interface BoxProgram {
  /** c, one for each variable. */
  readonly costs: Float64Array;
  /** One row of coefficients for each constraint. */
  readonly rows: readonly Float64Array[];
  /** One for each constraint. */
  readonly least: ArrayLike<number>;
  readonly lower: ArrayLike<number>;
  readonly upper: ArrayLike<number>;
}

/** What {@link solveProgram} has found. */
export interface ProgramResult {
  /**
   * For each constraint a number >= 0. With them the smallest value over the box of c . x - sum of multiplier (row x - least) is a lower bound of the
   * program: its optimum, or more than was asked for.
   */
  readonly multipliers: Float64Array;
  /** Where the optimum is attained; undefined where no point satisfies the constraints, or where the search stopped at `enough`. */
  readonly point: Float64Array | undefined;
}

/** Numbers of this size and less are roundings. */
const TOLERANCE = 1e-9;

/**
 * The dual simplex method in float64, with a dense table: variables begin at the ends of the box where the costs are least, and each step takes the
 * constraint that is violated most.
 *
 * @param enough a lower bound of the optimum that is as good as the optimum: larger ones are not looked for
 * @returns undefined where rounding or the number of steps defeats it
 */
export function solveProgram(program: BoxProgram, enough = Number.POSITIVE_INFINITY): ProgramResult | undefined {
  const table = createTable(program);
  const steps = 20 * (program.rows.length + program.costs.length) + 100;
  for (let step = 0; step < steps; step++) {
    if (!Number.isFinite(table.objective())) return undefined;
    if (table.objective() > enough) return { multipliers: table.multipliers(), point: undefined };
    const row = table.mostViolated();
    if (row === undefined) return { multipliers: table.multipliers(), point: table.point() };
    const column = table.entering(row);
    if (column === undefined) return { multipliers: table.growing(row, enough), point: undefined };
    table.pivot(row, column);
  }
  return undefined;
}

/** Basic variables as linear functions of the others, which are at ends of their intervals. Variables from `size` on are those of constraints. */
function createTable({ costs, rows, least, lower, upper }: BoxProgram) {
  const size = costs.length;
  const lowest = (variable: number) => (variable < size ? lower[variable]! : 0);
  const highest = (variable: number) => (variable < size ? upper[variable]! : Number.POSITIVE_INFINITY);
  const basic = Int32Array.from(rows, (_, i) => size + i);
  const others = Int32Array.from(costs, (_, j) => j);
  const table = rows.map((row) => Float64Array.from(row));
  const reduced = Float64Array.from(costs);
  /** The values of the variables that are not basic. */
  const at = Float64Array.from(costs, (cost, j) => (cost >= 0 ? lower[j]! : upper[j]!));
  const values = Float64Array.from(rows, (row, i) => row.reduce((sum, x, j) => sum + x * at[j]!, -least[i]!));
  let objective = costs.reduce((sum, cost, j) => sum + cost * at[j]!, 0);
  const scales = Float64Array.from(rows, (row) => row.reduce((most, x) => Math.max(most, Math.abs(x)), 0));

  const multipliers = () => {
    const found = new Float64Array(rows.length);
    others.forEach((variable, j) => {
      if (variable >= size) found[variable - size] = Math.max(0, reduced[j]!);
    });
    return found;
  };
  /** Whether a variable may go up (1) or down (-1) from where it is. */
  const direction = (j: number): 1 | -1 | 0 => {
    const [l, u] = [lowest(others[j]!), highest(others[j]!)];
    return l === u ? 0 : at[j] === l ? 1 : -1;
  };

  return {
    objective: () => objective,
    multipliers,
    point() {
      const found = new Float64Array(size);
      others.forEach((variable, j) => {
        if (variable < size) found[variable] = at[j]!;
      });
      basic.forEach((variable, i) => {
        if (variable < size) found[variable] = Math.min(upper[variable]!, Math.max(lower[variable]!, values[i]!));
      });
      return found;
    },
    mostViolated(): number | undefined {
      let [worst, most]: [number | undefined, number] = [undefined, 0];
      basic.forEach((variable, i) => {
        const scale = variable < size ? 1 : Math.max(1, scales[variable - size]!);
        const by = Math.max(lowest(variable) - values[i]!, values[i]! - highest(variable)) / scale;
        if (by > TOLERANCE && by > most) [worst, most] = [i, by];
      });
      return worst;
    },
    /** The variable whose reduced cost reaches 0 first when the row is moved into its interval; undefined where none can move it. */
    entering(i: number): number | undefined {
      const sign = values[i]! < lowest(basic[i]!) ? 1 : -1;
      const row = table[i]!;
      let [best, ratio]: [number | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
      for (let j = 0; j < size; j++) {
        if (!(sign * row[j]! * direction(j) > TOLERANCE)) continue;
        const own = Math.abs(reduced[j]! / row[j]!);
        if (own < ratio || (own === ratio && Math.abs(row[j]!) > Math.abs(row[best!]!))) [best, ratio] = [j, own];
      }
      return best;
    },
    /** Multipliers for a row that nothing can move into its interval: in its direction the bound grows without limit. */
    growing(i: number, enough: number): Float64Array {
      const sign = values[i]! < lowest(basic[i]!) ? 1 : -1;
      const ray = new Float64Array(rows.length);
      if (basic[i]! >= size) ray[basic[i]! - size] = 1;
      others.forEach((variable, j) => {
        if (variable >= size) ray[variable - size] = Math.max(0, -sign * table[i]![j]!);
      });
      const missing = Math.max(lowest(basic[i]!) - values[i]!, values[i]! - highest(basic[i]!));
      const length = Number.isFinite(enough) ? Math.max(0, enough - objective) / missing : 1 / missing;
      return multipliers().map((own, k) => own + length * ray[k]!);
    },
    pivot(i: number, j: number): void {
      const [leaving, entering] = [basic[i]!, others[j]!];
      const target = values[i]! < lowest(leaving) ? lowest(leaving) : highest(leaving);
      const row = table[i]!;
      const step = (target - values[i]!) / row[j]!;
      const inverse = 1 / row[j]!;
      // The row says what the entering variable is.
      for (let k = 0; k < size; k++) row[k] = k === j ? inverse : -row[k]! * inverse;
      const substitute = (other: Float64Array) => {
        const factor = other[j]!;
        if (factor === 0) return;
        for (let k = 0; k < size; k++) other[k] = k === j ? factor * inverse : other[k]! + factor * row[k]!;
      };
      table.forEach((other, k) => {
        if (k === i) return;
        values[k]! += other[j]! * step;
        substitute(other);
      });
      objective += reduced[j]! * step;
      substitute(reduced);
      values[i] = at[j]! + step;
      at[j] = target;
      [basic[i], others[j]] = [entering, leaving];
    },
  };
}
