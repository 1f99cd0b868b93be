import { crownBounds, leastOf, linearBound, linesOf, naturalPass, toRows } from '@cert/bounds';
import { type Bounds, type Model, sizeOf, type Tensor, tf } from '@cert/core';
import { disposeTree, turn } from '@cert/jit';
import type { Weights } from '../../verifier.js';
import { createHeap } from '../heap.js';
import { type Region, rowsOf, TOO_LARGE, violates } from '../region.js';
import type { Search, SearchControl, SearchResult } from '../search.js';
import { networkOf, type SearchSetting } from '../weights.js';
import { clip, cornerOf, hullOf, nothingExcluded, type Part, placeOf, sidesOf } from './input-boxes.js';

/** Coefficients of a batch at the largest node: few enough to stay in a processor's cache. */
const BUDGET = 2 ** 19;
/** Parts of a batch: few shapes, so that few functions are compiled. */
const SIZES = [1, 8, 64, 256, 1024];

/** What is computed of a batch of parts. */
type Bounded = {
  /** Lower bounds of the rows, [parts, rows]. */
  readonly lower: Tensor;
  /** Linear lower bounds of the rows: coefficients of the inputs [parts, rows, inputs] ... */
  readonly slopes: Tensor;
  /** ... and constants [parts, rows]. */
  readonly constants: Tensor;
  /** Outputs of the network where these are least, [parts, rows, outputs]. */
  readonly outputs: Tensor;
  /** 1 for parts whose bounds at all nodes are finite and not so large that what is computed of them may overflow, else 0; [parts]. */
  readonly usable: Tensor;
};

/** Bounds rows over boxes by CROWN with intervals intersected, and runs the network where the linear bounds are least. */
const bounder = ({ device, model, rules }: SearchSetting) =>
  device.jit((own: Weights, lower: Tensor, upper: Tensor, matrix: Tensor): Bounded => {
    const [parts, rows] = [lower.shape[0]!, matrix.shape[0]!];
    const network = networkOf(model, own);
    const shape = [parts, ...model.inputShape];
    const box = { lower: tf.reshape(lower, shape), upper: tf.reshape(upper, shape) };
    const at = crownBounds({ network, box }, { forward: rules.ibp, backward: rules.linearRelaxation, intersect: true });
    const lines = linesOf(rules.linearRelaxation, network, at);
    const matrices = tf.tile(tf.expandDims(matrix, 0), [parts, 1, 1]);
    const last = model.nodes.at(-1)!.name;
    const bound = linearBound(rules.linearRelaxation, { network, box, at, lines }, last, toRows(matrices));
    const slopes = tf.reshape(bound.rows.coefficients, [parts, rows, sizeOf(model.inputShape)]);
    const least = tf.where(tf.greater(slopes, 0), tf.expandDims(lower, 1), tf.expandDims(upper, 1));
    const points = tf.reshape(least, [parts * rows, ...model.inputShape]);
    const outputs = naturalPass(network, points, rules.natural).output;
    return {
      lower: leastOf(box, bound),
      slopes,
      constants: bound.bias ?? tf.zeros([parts, rows]),
      outputs: tf.reshape(outputs, [parts, rows, model.classes]),
      usable: usableParts(at, parts),
    };
  });

/** See {@link Bounded}. An overflow in the middle of a network need not show in the bounds of its outputs. */
function usableParts(at: Bounds['at'], parts: number): Tensor {
  const usable = (x: Tensor) => tf.min(tf.cast(tf.less(tf.abs(tf.reshape(x, [parts, -1])), TOO_LARGE), 'float32'), 1);
  return Object.values(at)
    .flatMap(({ lower, upper }) => [usable(lower), usable(upper)])
    .reduce((all, one) => tf.mul(all, one));
}

/** The sizes that batches may have. */
function batchSizes(model: Model, rows: number): readonly number[] {
  const largest = Math.max(...[sizeOf(model.inputShape), ...model.nodes.map(({ shape }) => sizeOf(shape))]);
  const most = Math.max(1, Math.floor(BUDGET / (largest * Math.max(largest, rows))));
  return SIZES.filter((size) => size <= most);
}

/**
 * Branch and bound on the inputs: every box is bounded by CROWN; where that is not enough it is cut down to where the linear bounds leave
 * a violation possible and split in two. For networks of few inputs. Complete up to the resolution of float32.
 */
export function createInputSplit(setting: SearchSetting): Search {
  const bound = bounder(setting);
  return {
    search: (region, control) => splitInputs(setting, bound, region, control),
    dispose: () => bound.dispose(),
  };
}

async function splitInputs(
  { device, model, weights }: SearchSetting,
  bound: ReturnType<typeof bounder>,
  region: Region,
  { confirm, attack, deadline, mostOpen, onProgress, signal, least = 0, mostBoxes = 0 }: SearchControl,
): Promise<SearchResult> {
  const [inputs, rows, classes] = [region.lower.length, rowsOf(region), model.classes];
  const sizes = batchSizes(model, rows);
  const matrix = device.put(region.matrix, [rows, classes]);
  const tree = nothingExcluded();
  const open = createHeap<Part>();
  open.push(Number.NEGATIVE_INFINITY, {
    ...{ lower: Float64Array.from(region.lower), upper: Float64Array.from(region.upper) },
    cases: region.cases.map((_, k) => k),
    bound: Number.NEGATIVE_INFINITY,
    tree,
  });
  let visited = 0;
  let proved = Number.POSITIVE_INFINITY;
  try {
    while (open.size > 0) {
      signal?.throwIfAborted();
      const unknown = Date.now() > deadline ? 'timeout' : open.size > mostOpen ? 'memory' : undefined;
      if (unknown !== undefined) return { verdict: 'unknown', reason: unknown, visited, lower: open.least };
      const size = sizes.find((one) => one >= open.size) ?? sizes.at(-1)!;
      const parts: Part[] = [];
      while (parts.length < size && open.size > 0) parts.push(open.pop()!);
      const results = await boundParts(parts, size);
      visited += parts.length;
      for (const [k, part] of parts.entries()) {
        const { lower, slopes, constants, outputs } = results;
        const at = (row: number) => k * rows + row;
        if (results.usable[k] !== 1 || !lower.subarray(at(0), at(rows)).every(Number.isFinite)) {
          return { verdict: 'unknown', reason: 'not finite', visited, lower: Number.NaN };
        }
        const excess = (row: number) => lower[at(row)]! - region.bounds[row]!;
        const excessOf = (one: number) => Math.max(...region.cases[one]!.map(excess));
        const bounds = part.cases.map(excessOf);
        const left = part.cases.filter((_, i) => !(bounds[i]! > least));
        proved = Math.min(proved, ...bounds.filter((value) => value > least));
        part.tree.excluded = part.cases.filter((one) => !left.includes(one));
        if (left.length === 0) continue;
        for (const one of left) {
          for (const row of region.cases[one]!) {
            const values = outputs.subarray(at(row) * classes, at(row + 1) * classes);
            if (!violates(region, one, values)) continue;
            const point = cornerOf(part, slopes.subarray(at(row) * inputs, at(row + 1) * inputs));
            const witness = await confirm(point, region);
            if (witness !== undefined) return { verdict: 'falsified', witness, visited };
          }
        }
        // What is cut off is no box of the tree.
        const cut =
          visited <= mostBoxes
            ? { ...part, cases: left }
            : hullOf(
                left.map((one) =>
                  region.cases[one]!.reduce<Part | undefined>(
                    (box, row) =>
                      box &&
                      clip(
                        box,
                        slopes.subarray(at(row) * inputs, at(row + 1) * inputs),
                        constants[at(row)]! - region.bounds[row]! - least,
                        (excess) => {
                          proved = Math.min(proved, excess + least);
                        },
                      ),
                    part,
                  ),
                ),
                left,
              );
        if (cut === undefined) continue;
        const place = placeOf(cut, (i) => {
          let influence = 0;
          for (const one of cut.cases) {
            for (const row of region.cases[one]!) influence += Math.abs(slopes[at(row) * inputs + i]!);
          }
          return influence;
        });
        const worst = Math.min(...cut.cases.map(excessOf));
        if (place === undefined) {
          // Parts of the batch that were not looked at yet are not better than what they were split from.
          const lower = Math.min(open.least, part.bound, worst);
          return { verdict: 'unknown', reason: 'rounding', visited, lower };
        }
        const halves = { low: nothingExcluded(), high: nothingExcluded() };
        part.tree.split = { ...place, ...halves };
        const sides = sidesOf(cut, place);
        for (const side of ['low', 'high'] as const) {
          open.push(worst, { ...sides[side], cases: cut.cases, bound: worst, tree: halves[side] });
        }
      }
      const witness = open.size > 0 ? await attack() : undefined;
      if (witness !== undefined) return { verdict: 'falsified', witness, visited };
      onProgress?.({ visited, open: open.size, lower: open.least });
      await turn();
    }
    return { verdict: 'verified', visited, lower: proved, ...(visited <= mostBoxes && { tree }) };
  } finally {
    disposeTree(matrix);
  }

  async function boundParts(parts: readonly Part[], size: number) {
    const [lower, upper] = [new Float32Array(size * inputs), new Float32Array(size * inputs)];
    for (let k = 0; k < size; k++) {
      const part = parts[Math.min(k, parts.length - 1)]!;
      lower.set(part.lower, k * inputs);
      upper.set(part.upper, k * inputs);
    }
    const box = [device.put(lower, [size, inputs]), device.put(upper, [size, inputs])] as const;
    const out = await bound(weights, box[0], box[1], matrix);
    const read = async (array: (typeof out)[keyof typeof out]) => Float32Array.from(await array.data());
    const values = {
      lower: await read(out.lower),
      slopes: await read(out.slopes),
      constants: await read(out.constants),
      outputs: await read(out.outputs),
      usable: await read(out.usable),
    };
    disposeTree([box, out]);
    return values;
  }
}
