import {
  type HostParams,
  type HostTensor,
  type Layer,
  type Model,
  type Rng,
  type Shape,
  sequential,
  sizeOf,
} from '@cert/core';
import { type Ball, contains } from '../box.js';
import { compare, type Dyadic } from '../exact/dyadic.js';
import { executeExact } from '../exact/execute-exact.js';
import { executor } from '../execute/execute.js';
import { type Allowed, type Execution, listExecutions } from '../execute/execution.js';
import type { HostNetwork } from '../network.js';
import type { AdversarialNetwork } from './adversarial-network.js';

/** Numbers for the parameters and statistics of each node, row-major. Missing ones are 0. */
export type Numbers = { readonly [node: string]: { readonly [name: string]: readonly number[] } };

/** A network of a model and its numbers, rounded to float32. */
export function networkOf(model: Model, numbers: Numbers): HostNetwork {
  const fill = (shapes: { readonly [name: string]: Shape }, node: string): { [name: string]: HostTensor } =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => {
        const given = numbers[node]?.[name];
        if (given !== undefined && given.length !== sizeOf(shape)) {
          throw new RangeError(`${node}.${name} has ${given.length} numbers for the shape [${shape}].`);
        }
        return [name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => given?.[i] ?? 0) }];
      }),
    );
  const trees = (which: 'params' | 'stats'): HostParams =>
    Object.fromEntries(
      model.nodes
        .filter((node) => Object.keys(node[which]).length > 0)
        .map((node) => [node.name, fill(node[which], node.name)]),
    );
  return { model, params: trees('params'), stats: trees('stats') };
}

/** A chain of layers and its numbers. */
export const chain = (inputShape: Shape, layers: readonly Layer[], numbers: Numbers): HostNetwork =>
  networkOf(sequential(inputShape, layers), numbers);

/** A network with a ball, a label and executions to look for a counterexample among. */
export interface Candidate extends HostNetwork, Ball {
  readonly name: string;
  readonly label: number;
  readonly points: readonly Float32Array[];
  readonly executions: readonly Execution[];
}

/** Logit of the label minus the largest other one. Their order is exact. */
export function marginOf(logits: ArrayLike<number>, label: number): number {
  const others = Array.from(logits).filter((_, j) => j !== label);
  return logits[label]! - Math.max(...others);
}

/** Whether the margin over the real numbers is at most 0. */
export function misclassifiedExactly(network: HostNetwork, point: ArrayLike<number>, label: number): boolean {
  const { lower, upper } = executeExact(network, point);
  return lower.some((logit: Dyadic, j) => j !== label && compare(logit, upper[label]!) >= 0);
}

/** The candidate with the first counterexample there is; undefined where there is none. */
function withCounterexample(candidate: Candidate): AdversarialNetwork | undefined {
  const { points, executions, ...rest } = candidate;
  const run = executor(candidate);
  for (const point of points) {
    if (!contains(candidate, point)) throw new RangeError(`${candidate.name}: a point outside of the ball.`);
    for (const execution of executions) {
      if (marginOf(run(point, execution), candidate.label) > 0) continue;
      const counterexample = { point, execution };
      return { ...rest, counterexample, refutesReal: misclassifiedExactly(candidate, point, candidate.label) };
    }
  }
  return undefined;
}

/** The counterexample of a construction that has one for certain. */
export function mustFool(candidate: Candidate): AdversarialNetwork {
  const found = withCounterexample(candidate);
  if (found === undefined) throw new Error(`${candidate.name}: no execution misclassifies a point.`);
  return found;
}

/** Many executions; `underflow` is gradual unless said otherwise. */
export const manyExecutions = (rng: Rng, count = 300, allowed: Allowed = {}): Execution[] =>
  listExecutions(rng, count, { underflow: ['gradual'], ...allowed });

/** A chain whose last layer computes the logits `threshold` (class 0) and the one number of the node before (class 1). */
export const thresholdKernel = [0, 1];
export const thresholdBias = (threshold: number): number[] => [threshold, 0];

/** The largest number that class 1 of a network gets over points and executions. */
export function largestScore(
  network: HostNetwork,
  points: readonly Float32Array[],
  executions: readonly Execution[],
): number {
  const run = executor(network);
  return Math.max(...points.flatMap((point) => executions.map((execution) => run(point, execution)[1]!)));
}

/** Tries until one is found. */
export function search<T>(name: string, tries: number, attempt: () => T | undefined): T {
  for (let i = 0; i < tries; i++) {
    const found = attempt();
    if (found !== undefined) return found;
  }
  throw new Error(`${name}: nothing found in ${tries} tries.`);
}
