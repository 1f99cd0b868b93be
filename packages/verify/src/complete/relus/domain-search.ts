import type { Params } from '@cert/core';
import { type DeviceArray, disposeTree, type OnDevice, putScalars, turn } from '@cert/jit';
import { createHeap, type Queue } from '../heap.js';
import type { HostNetwork } from '../host-network.js';
import { type Region, violates } from '../region.js';
import type { SearchControl, SearchResult } from '../search.js';
import { readFloats, type SearchSetting } from '../weights.js';
import { ratesOf } from './ascent.js';
import {
  anyChoice,
  type Choice,
  childOf,
  choicesOf,
  type Domain,
  type Layout,
  packDomains,
  provedPart,
  rowsOfCase,
  unpackDomain,
} from './domain.js';
import type { DomainBatch, DomainBounds } from './domain-bounds.js';
import { layoutOf } from './layout.js';
import { createLeafSolver } from './leaf.js';
import type { RootBounds } from './root-bounds.js';
import type { Structure } from './structure.js';

/** Options of the search over ReLUs, with defaults that were measured to be good. */
export interface ReluSplitOptions {
  /** Steps in which slopes for the bounds of hidden neurons are optimized, at most; default 20. */
  readonly rootIterations?: number;
  /** Steps in which slopes of the region's rows are optimized; default 50. */
  readonly caseIterations?: number;
  /** Steps in which slopes and multipliers of a domain are optimized; default 10. */
  readonly iterations?: number;
  /** Whether to split at all; default true. Without, the search is alpha-CROWN. */
  readonly splits?: boolean;
  /** Whether bounds of neurons in hidden dense layers are refined by branch and bound of their own where a search takes long; default true. */
  readonly refine?: boolean;
  /** Splits that are tried out for each domain, by each of two scores (kFSB); default 3. */
  readonly candidates?: number;
}

/** Numbers that a batch of domains may have in one kind of variable. */
const BUDGET = 2 ** 21;
/** Domains of a batch: few shapes, so that few functions are compiled. */
const SIZES = [2, 16, 128];
/** Learning rates of a domain: large ones, since most of the best slopes are at an end of [0, 1]. */
const RATES = { mixture: 0.3, multiplier: 0.2 };
/** Rates and steps of a domain in which every neuron is linear, one after the other, where its linear program was no use. */
const EFFORTS = [
  { rate: 0.2, rounds: 100 },
  { rate: 1, rounds: 200 },
  { rate: 0.1, rounds: 400 },
];

/**
 * What became of the cases: `left` has those that are open, with the smallest bound of each, and `proved` the smallest bound of those that are excluded.
 * Where bounds are not finite, `left` says nothing.
 */
export type CasesResult = SearchResult & { readonly left: ReadonlyMap<number, number>; readonly proved: number };

/** Options of {@link searchDomains}. */
export interface SearchParts {
  readonly setting: SearchSetting;
  /** The network of the setting on the host. */
  readonly network: HostNetwork;
  readonly region: Region;
  readonly control: SearchControl;
  readonly options: ReluSplitOptions;
  readonly structure: Structure;
  readonly functions: DomainBounds;
  readonly root: RootBounds;
  readonly box: OnDevice<DomainBatch['box']>;
  /** The cases that are to be excluded. */
  readonly cases: readonly number[];
  /** Holds the open domains; default a heap, the smallest bound first. */
  readonly open?: Queue<Domain>;
}

/**
 * Branch and bound on the signs of ReLUs (beta-CROWN; Wang et al. 2021): domains with the smallest lower bound are split first, the bounds of
 * hidden neurons are those of the root with what splits say. Where nothing is left to split on, a linear program decides.
 */
export async function searchDomains(parts: SearchParts): Promise<CasesResult> {
  const { setting, network, region, control, options, structure, functions, root, box, cases } = parts;
  const { open = createHeap<Domain>() } = parts;
  const { device, model, weights } = setting;
  const { caseIterations = 50, iterations = 10, candidates = 3 } = options;
  const { layout, mixtures } = await layoutOf({ setting, structure, functions, root, region, box });
  const widest = Math.max(1, ...[...layout.curved, ...layout.splittable].map(({ size }) => size));
  const most = Math.max(2, Math.floor(BUDGET / (widest * layout.rows)));
  const sizes = SIZES.filter((size) => size === SIZES[0] || size <= most);
  const solveLeaf = createLeafSolver({ network, region, layout, root: root.host });
  const { least = 0, onProved } = control;
  const strict = control.least !== undefined;
  let visited = 0;
  let proved = Number.POSITIVE_INFINITY;

  const result = await run();
  const left = new Map<number, number>();
  for (const { key, item } of open.entries()) left.set(item.of, Math.min(key, left.get(item.of) ?? key));
  return { ...result, left, proved };

  async function run(): Promise<SearchResult> {
    if (!root.finite) return unknown('not finite', Number.NaN);
    const first = cases.map(
      (of): Domain => ({
        ...{ of, splits: [], mixtures, multipliers: new Float32Array(), choices: [], efforts: 0 },
        ...{ point: region.lower, bound: Number.NEGATIVE_INFINITY },
      }),
    );
    const begun = await improve(first, caseIterations, { mixture: 0.1, multiplier: 0.05 });
    if (begun !== undefined) return begun;

    while (open.size > 0) {
      if (options.splits === false) return unknown('no splits');
      control.signal?.throwIfAborted();
      if (Date.now() > control.deadline) return unknown('timeout');
      if (open.size > control.mostOpen) return unknown('memory');
      const pairs = sizeFor(2 * open.size) / 2;
      const parents: Domain[] = [];
      while (parents.length < pairs && open.size > 0) parents.push(open.pop()!);
      const choices = await choose(parents);
      const children: Domain[] = [];
      const linear: Domain[] = [];
      for (const [k, parent] of parents.entries()) {
        const choice = choices[k];
        if (choice === undefined) linear.push(parent);
        else for (const sign of [1, -1] as const) children.push(childOf(parent, choice, sign, layout.rows));
      }
      const done = children.length > 0 ? await improve(children, iterations, RATES) : undefined;
      if (done !== undefined) return done;
      for (const [k, domain] of linear.entries()) {
        const decided = await decideLinear(domain);
        if (decided === undefined) continue;
        for (const left of linear.slice(k)) open.push(left.bound, left);
        return decided;
      }
      const witness = open.size > 0 ? await control.attack() : undefined;
      if (witness !== undefined) return { verdict: 'falsified', witness, visited };
      control.onProgress?.({ visited, open: open.size, lower: open.least });
      await turn();
    }
    // A queue may hold domains that it does not serve.
    if (open.least < Number.POSITIVE_INFINITY) return unknown('no splits');
    return { verdict: 'verified', visited, lower: proved };
  }

  function unknown(reason: Extract<SearchResult, { verdict: 'unknown' }>['reason'], lower = open.least): SearchResult {
    return { verdict: 'unknown', reason, visited, lower: Math.min(lower, open.least) };
  }

  /**
   * Decides a domain in which nothing is left to split on. Its bound is a linear program, whose dual variables the multipliers are; where solving it is not
   * enough, they are optimized with large steps.
   */
  async function decideLinear(domain: Domain): Promise<SearchResult | undefined> {
    const tried = { ...domain, efforts: domain.efforts + 1 };
    if (domain.efforts === 0) {
      const solution = await solveLeaf?.(domain, least, () => Date.now() > control.deadline);
      for (const point of solution?.points ?? []) {
        const witness = await control.confirm(point, region);
        if (witness !== undefined) return { verdict: 'falsified', witness, visited };
      }
      const { multipliers } = solution ?? domain;
      return improve([{ ...tried, multipliers }], 0, RATES);
    }
    const witness = domain.efforts > 1 ? undefined : await control.searchAround(domain.point, domain.of, region);
    if (witness !== undefined) return { verdict: 'falsified', witness, visited };
    const effort = EFFORTS[domain.efforts - 1];
    if (effort === undefined) return unknown('incomplete relaxation', domain.bound);
    return improve([tried], effort.rounds, { mixture: effort.rate, multiplier: effort.rate });
  }

  /** The smallest batch that holds `count` domains, or the largest there is. */
  function sizeFor(count: number): number {
    return sizes.find((size) => size >= count) ?? sizes.at(-1)!;
  }

  /** Puts a batch on the device. */
  function put(domains: readonly Domain[], size: number) {
    const arrays = packDomains(layout, domains, size);
    const { rows } = layout;
    const placed = (
      places: Layout['curved'],
      table: { readonly [node: string]: Float32Array },
      axes: readonly number[],
    ) => Object.fromEntries(places.map(({ name, shape }) => [name, device.put(table[name]!, [...axes, ...shape])]));
    const matrix = new Float32Array(size * rows * model.classes);
    for (let k = 0; k < size; k++) {
      const { of } = domains[Math.min(k, domains.length - 1)]!;
      rowsOfCase(region, of, rows).forEach((row, r) => {
        matrix.set(
          region.matrix.subarray(row * model.classes, (row + 1) * model.classes),
          (k * rows + r) * model.classes,
        );
      });
    }
    const mixtures = placed(layout.curved, arrays.mixtures, [size, rows]);
    const multipliers = placed(layout.splittable, arrays.multipliers, [size, rows]);
    const signs = placed(layout.splittable, arrays.signs, [size]);
    const variables: OnDevice<Params> = {
      ...Object.fromEntries(Object.entries(mixtures).map(([name, mixture]) => [name, { mixture }])),
      ...Object.fromEntries(Object.entries(multipliers).map(([name, multiplier]) => [name, { multiplier }])),
    };
    const rowsArray = device.put(matrix, [size, rows, model.classes]);
    const batch = { box, at: root.device, signs, matrix: rowsArray };
    return { batch, variables, free: () => disposeTree([signs, rowsArray, variables]) };
  }

  /** By how much the best row of a domain exceeds its bound. */
  function excessOf(lower: Float32Array, k: number, domain: Domain): number {
    const rows = rowsOfCase(region, domain.of, layout.rows);
    return Math.max(...rows.map((row, r) => lower[k * layout.rows + r]! - region.bounds[row]!));
  }

  async function readVariables(variables: OnDevice<Params>) {
    const [mixtures, multipliers]: { [node: string]: Float32Array }[] = [{}, {}];
    for (const [node, own] of Object.entries(variables)) {
      if (own.mixture) mixtures![node] = await readFloats(own.mixture);
      if (own.multiplier) multipliers![node] = await readFloats(own.multiplier);
    }
    return { mixtures: mixtures!, multipliers: multipliers! };
  }

  /** Optimizes domains, closes those whose case is excluded and puts the others into the queue. */
  async function improve(
    domains: readonly Domain[],
    rounds: number,
    rates: { readonly mixture: number; readonly multiplier: number },
  ): Promise<SearchResult | undefined> {
    const size = sizeFor(domains.length);
    for (let from = 0; from < domains.length; from += size) {
      const found = await improveBatch(domains.slice(from, from + size), size, rounds, rates);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async function improveBatch(
    domains: readonly Domain[],
    size: number,
    rounds: number,
    rates: { readonly mixture: number; readonly multiplier: number },
  ): Promise<SearchResult | undefined> {
    const { batch, variables, free } = put(domains, size);
    visited += domains.length;
    const start = await functions.evaluate(weights, batch, variables);
    let best: DeviceArray = start.lower;
    let state = { variables, ...(await functions.fresh(variables)) };
    let values = await readFloats(best);
    const closed = () => domains.every((domain, k) => excessOf(values, k, domain) > least);
    for (let t = 0; t < rounds && !closed() && Date.now() < control.deadline; t++) {
      const scalars = putScalars(device, ratesOf(t, rates));
      const next = await functions.step(weights, batch, state, best, scalars);
      disposeTree([best, scalars, t > 0 ? state : { first: state.first, second: state.second }]);
      ({ best, state } = next);
      if (t % 5 === 4) values = await readFloats(best);
    }
    const out = await functions.finish(weights, batch, state.variables);
    const lower = await readFloats(out.lower);
    // What is told as a proof must be one with the variables that are told.
    values = strict ? lower : (await readFloats(best)).map((value, i) => Math.max(value, lower[i]!));
    const [points, outputs] = [await readFloats(out.points), await readFloats(out.outputs)];
    const tables = [await readTable(out.scores), await readTable(out.intercepts)];
    const arrays = await readVariables(state.variables);
    disposeTree([out, best, state.variables === variables ? { first: state.first, second: state.second } : state]);
    free();
    const [inputs, classes] = [region.lower.length, model.classes];
    for (const [k, domain] of domains.entries()) {
      const bound = Math.max(domain.bound, excessOf(values, k, domain));
      if (!Number.isFinite(excessOf(values, k, domain))) return unknown('not finite', Number.NaN);
      if (bound > least) {
        proved = Math.min(proved, bound);
        onProved?.(provedPart(layout, domain, unpackDomain(layout, arrays, k, domain.splits)));
        continue;
      }
      for (let row = 0; row < layout.rows; row++) {
        const place = k * layout.rows + row;
        if (!violates(region, domain.of, outputs.subarray(place * classes, (place + 1) * classes))) continue;
        const witness = await control.confirm(points.slice(place * inputs, (place + 1) * inputs), region);
        if (witness !== undefined) return { verdict: 'falsified', witness, visited };
      }
      open.push(bound, {
        ...{ ...domain, bound },
        ...unpackDomain(layout, arrays, k, domain.splits),
        point: points.slice(k * layout.rows * inputs, (k * layout.rows + 1) * inputs),
        choices: choicesOf(layout, tables, k, domain.splits, candidates),
      });
    }
    return undefined;
  }

  async function readTable(table: { readonly [node: string]: DeviceArray }) {
    const read: { [node: string]: Float32Array } = {};
    for (const [node, array] of Object.entries(table)) read[node] = await readFloats(array);
    return read;
  }

  /** The split of each domain: of its candidates the one whose worse child has the largest bound, without optimization (kFSB). */
  async function choose(parents: readonly Domain[]): Promise<(Choice | undefined)[]> {
    const most = Math.max(...parents.map(({ choices }) => choices.length));
    const best = parents.map(({ choices, splits }) => ({
      choice: choices[0] ?? anyChoice(layout, splits),
      score: Number.NEGATIVE_INFINITY,
    }));
    if (most < 2) return best.map(({ choice }) => choice);
    for (let c = 0; c < most; c++) {
      const children = parents.flatMap((parent) => {
        const choice = parent.choices[Math.min(c, parent.choices.length - 1)] ?? anyChoice(layout, parent.splits);
        if (choice === undefined) return [parent, parent];
        return [childOf(parent, choice, 1, layout.rows), childOf(parent, choice, -1, layout.rows)];
      });
      const { batch, variables, free } = put(children, sizeFor(children.length));
      const out = await functions.evaluate(weights, batch, variables);
      const lower = await readFloats(out.lower);
      disposeTree(out);
      free();
      parents.forEach((parent, k) => {
        const choice = parent.choices[c];
        const own = best[k]!;
        if (choice === undefined) return;
        const [a, b] = [0, 1].map((side) => excessOf(lower, 2 * k + side, children[2 * k + side]!));
        const score = Math.min(a!, b!) + 1e-3 * Math.max(Math.min(a!, 0), Math.min(b!, 0));
        if (score > own.score) best[k] = { choice, score };
      });
    }
    return best.map(({ choice }) => choice);
  }
}
