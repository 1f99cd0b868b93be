import { runSteps, type StepSettings, type Steps } from '../run-steps.js';
import { median } from '../statistics.js';
import { type Point, points, type Series } from './points.js';
import { workOf } from './work.js';

/** What a point costs, beside the work that it does. */
export interface Measurement {
  readonly name: string;
  readonly series: Series;
  readonly size: number;
  readonly medianMs: number;
  readonly minMs: number;
  /** Processor time of a step, of all threads together. */
  readonly cpuMs: number;
  readonly peakMiB: number;
  /** What the first step takes longer than the others. */
  readonly compileMs: number;
  /** Of the first step, up to the finished ONNX model. */
  readonly traceMs: number;
  /** Nodes of the ONNX model. */
  readonly nodes: number;
  /** Convolutions and dense layers of a step, in 10^9 operations. */
  readonly gflop: number;
  /** Activations of one pass over the batch. */
  readonly activationMiB: number;
  readonly parameterMiB: number;
  /** Of the fastest step. */
  readonly msPerGflop: number;
  /** Peak memory over that of activations and parameters. */
  readonly memoryRatio: number;
}

/** A step makes three passes (natural, center, radius); going back through a layer is two products of the size of the one forward. */
const PASSES = 3 * 3;
/** A multiply-add is two operations. */
const OPERATIONS = 2;
const MIB = 2 ** 20;

/** Measures points in turns, `rounds` times each: medians over the runs, minima over all steps. */
export function measureScaling(
  names: readonly string[],
  settings: StepSettings & { readonly rounds: number },
): Measurement[] {
  const chosen = points.filter(({ name }) => names.includes(name));
  const runs = new Map<Point, Steps[]>(chosen.map((point) => [point, []]));
  for (let round = 1; round <= settings.rounds; round++) {
    for (const [point, list] of runs) {
      console.error(`${point.name}: round ${round} of ${settings.rounds}`);
      list.push(runSteps(point.name, settings));
    }
  }
  return [...runs].map(([point, list]) => measurement(point, list));
}

function measurement({ name, series, size, workload }: Point, runs: readonly Steps[]): Measurement {
  const { multiplyAdds, activations, parameters } = workOf(workload.model());
  const over = (of: (run: Steps) => number) => median(runs.map(of));
  const minMs = Math.min(...runs.flatMap(({ times }) => times));
  const peakMiB = Math.max(...runs.map((run) => run.peakMiB));
  const gflop = (PASSES * OPERATIONS * multiplyAdds * workload.batch) / 1e9;
  const activationMiB = (4 * activations * workload.batch) / MIB;
  const parameterMiB = (4 * parameters) / MIB;
  return {
    name,
    series,
    size,
    medianMs: over(({ times }) => median(times)),
    minMs,
    cpuMs: over(({ cpuTimes }) => median(cpuTimes)),
    peakMiB,
    compileMs: over((run) => run.compileMs),
    traceMs: over(({ traceMs }) => traceMs),
    nodes: runs[0]!.nodes,
    gflop,
    activationMiB,
    parameterMiB,
    msPerGflop: minMs / gflop,
    memoryRatio: peakMiB / (activationMiB + parameterMiB),
  };
}
