import loadHighs from 'highs';
import type { Program } from './margin-program.js';

/** An optimum. */
interface Optimum {
  /** The smallest value of the objective. */
  readonly value: number;
  /** The inputs where it is attained. */
  readonly point: Float64Array;
}

/** Solves programs, one at a time. */
export type Solve = (program: Program) => Optimum;

/** By how much a constraint may be violated: the least that HiGHS takes. */
const FEASIBILITY = 1e-10;

/** HiGHS, asked for a gap of 0. Its optima hold up to `FEASIBILITY` times the size of the numbers of the program. */
export async function createSolver(): Promise<Solve> {
  const highs = await loadHighs();
  return ({ text, inputs }) => {
    const solution = highs.solve(text, {
      output_flag: false,
      mip_rel_gap: 0,
      mip_abs_gap: 0,
      mip_feasibility_tolerance: FEASIBILITY,
      primal_feasibility_tolerance: FEASIBILITY,
      dual_feasibility_tolerance: FEASIBILITY,
    });
    if (solution.Status !== 'Optimal') throw new Error(`HiGHS ended with the status ${solution.Status}.`);
    const point = Float64Array.from(inputs, (name) => primalOf(solution.Columns[name]));
    return { value: solution.ObjectiveValue, point };
  };
}

function primalOf(column: object | undefined): number {
  if (column !== undefined && 'Primal' in column && typeof column.Primal === 'number') return column.Primal;
  throw new Error('HiGHS gave no value of a variable.');
}
