import { turn } from '@cert/jit';
import { linearOnInput, noRelaxations, type Relaxations, type Start } from '../../float64/backward.js';
import type { Box64, Enclosures } from '../../float64/enclosure.js';
import { enclose } from '../../float64/intervals.js';
import type { Network64 } from '../../float64/network.js';
import { hasFloat64 } from '../proofs/recheck.js';
import type { Region } from '../region.js';
import { type Domain, type Layout, rowsOfCase } from './domain.js';
import type { RootBounds } from './root-bounds.js';
import { type BoxProgram, type ProgramResult, solveProgram } from './simplex.js';

/** What the domains of a search have in common. */
export interface LeafParts {
  /** The network that is bounded. */
  readonly network: Network64;
  readonly region: Region;
  readonly layout: Layout;
  /** Bounds over the region: what is known of neurons without a split. */
  readonly root: RootBounds['host'];
}

/** What the linear programs of a domain say. None of it is a proof: multipliers are to be bounded with, points to be run. */
export interface LeafSolution {
  /** The multipliers of the domain's splits, for each the rows in order. */
  readonly multipliers: Float32Array;
  /** Points that may violate the case. */
  readonly points: readonly Float32Array[];
}

/** Constraints are missed by up to this share of what they are made of, as they are computed in float32. */
const LOOSENESS = 1e-7;
/** What a bound is to have to spare, relative to the size of numbers. */
const SPARE = 1e-3;

/**
 * Solves domains in which the sign of every ReLU's input is known, so that the network is linear: for each row a linear program over the box, with a
 * constraint for each split. Its dual variables are the best multipliers.
 *
 * @returns undefined where splits do not make the network linear, or float64 does not know an op. The function that is returned takes a domain, by how much a bound is to exceed that of its row, and
 * what says whether time is up; it returns undefined where rounding defeats it, or time is up.
 */
export function createLeafSolver(
  parts: LeafParts,
): ((domain: Domain, least: number, expired: () => boolean) => Promise<LeafSolution | undefined>) | undefined {
  if (!canBeLinear(parts)) return undefined;
  const box = { lower: Float64Array.from(parts.region.lower), upper: Float64Array.from(parts.region.upper) };
  let bounds: Enclosures | undefined;
  return async (domain, least, expired) => {
    bounds ??= enclose(parts.network, box, 'real');
    return bounds.usable ? solveLeaf({ ...parts, box, bounds, domain, least }, expired) : undefined;
  };
}

/** Whether splits of ReLUs make a network linear, and float64 knows its ops. */
const canBeLinear = ({ network, root }: LeafParts): boolean =>
  hasFloat64(network) &&
  network.model.nodes.every(({ op, inputs }) =>
    op === 'relu' ? inputs[0]! in root : op !== 'maxPool' && op !== 'leakyRelu',
  );

interface LeafProblem extends LeafParts {
  readonly box: Box64;
  readonly bounds: Enclosures;
  readonly domain: Domain;
  readonly least: number;
}

async function solveLeaf(problem: LeafProblem, expired: () => boolean): Promise<LeafSolution | undefined> {
  const { network, region, layout, box, bounds, domain, least } = problem;
  const relaxations = linesOfStates(problem);
  const functionOf = (start: Start) => linearOnInput(network, bounds, relaxations, start);
  const constraints: { readonly row: Float64Array; readonly least: number }[] = [];
  for (const [i, { node, neuron, sign }] of domain.splits.entries()) {
    if (i % 16 === 0) await turn();
    if (expired()) return undefined;
    const { name, size } = layout.splittable[node]!;
    const unit = new Float64Array(size);
    unit[neuron] = sign;
    const { coefficients, constant } = functionOf({ node: name, coefficients: unit });
    const reach = Math.abs(constant) + reachOf(coefficients, box);
    constraints.push({ row: coefficients, least: -constant - LOOSENESS * reach });
  }
  const classes = network.model.classes;
  const last = network.model.nodes.at(-1)!.name;
  const rows = rowsOfCase(region, domain.of, layout.rows).map((row) => {
    const matrix = Float64Array.from(region.matrix.subarray(row * classes, (row + 1) * classes));
    return { ...functionOf({ node: last, coefficients: matrix }), bound: region.bounds[row]! };
  });
  const solve = (costs: Float64Array, all: typeof constraints, enough: number): ProgramResult | undefined => {
    const program: BoxProgram = {
      ...{ costs, lower: box.lower, upper: box.upper },
      rows: all.map(({ row }) => row),
      least: all.map((one) => one.least),
    };
    return solveProgram(program, enough);
  };

  const multipliers = new Float32Array(domain.splits.length * layout.rows);
  const points: Float32Array[] = [];
  for (const [r, { coefficients, constant, bound }] of rows.entries()) {
    const enough = bound - constant + least + SPARE * (1 + Math.abs(bound) + Math.abs(constant));
    const result = solve(coefficients, constraints, enough);
    if (result === undefined) return undefined;
    result.multipliers.forEach((beta, i) => {
      multipliers[i * layout.rows + r] = beta;
    });
    if (result.point === undefined) continue;
    points.push(Float32Array.from(result.point));
    if (rows.length === 1) continue;
    // A violation satisfies the inequalities of all rows.
    const others = rows.filter((_, k) => k !== r);
    const violated = others.map((other) => ({
      row: other.coefficients.map((x) => -x),
      least: other.constant - other.bound,
    }));
    const all = solve(coefficients, [...constraints, ...violated], Number.POSITIVE_INFINITY);
    if (all?.point !== undefined) points.push(Float32Array.from(all.point));
  }
  return { multipliers, points };
}

/** Every ReLU as the line that its sign makes it. */
function linesOfStates({ network: { model }, bounds: { shapes }, root, domain, layout }: LeafProblem): Relaxations {
  const relaxations = noRelaxations();
  for (const { name, op, inputs } of model.nodes) {
    if (op !== 'relu') continue;
    const node = inputs[0]!;
    const active = Float64Array.from(root[node]!.lower, (l) => (l >= 0 ? 1 : 0));
    for (const split of domain.splits) {
      if (layout.splittable[split.node]!.name === node) active[split.neuron] = split.sign > 0 ? 1 : 0;
    }
    const none = new Float64Array(shapes.get(name)!.reduce((a, b) => a * b, 1));
    relaxations.lines.set(name, { lowerSlope: active, upperSlope: active, upperIntercept: none });
  }
  return relaxations;
}

const reachOf = (row: Float64Array, { lower, upper }: Box64) =>
  row.reduce((sum, x, i) => sum + Math.abs(x) * Math.max(Math.abs(lower[i]!), Math.abs(upper[i]!)), 0);
