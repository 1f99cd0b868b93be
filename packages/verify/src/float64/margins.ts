import type { SoundLevel } from '@cert/bounds';
import { adaptive, addRelaxation, type LowerSlopes, lowerValue, noRelaxations, towardsMinus } from './backward.js';
import { type Box64, endsOf, ownError } from './enclosure.js';
import { enclose } from './intervals.js';
import { type Network64, valuesOf } from './network.js';

/** What is bounded: logit_label - logit_j for every other class j, over a box. */
export interface MarginProblem {
  /** The network. */
  readonly network: Network64;
  /** The box of real inputs. */
  readonly box: Box64;
  /** The class that should win. */
  readonly label: number;
  /** What the bounds hold for. */
  readonly level: SoundLevel;
}

/** The other classes, in order. */
export const otherClasses = ({ network, label }: MarginProblem): number[] =>
  Array.from({ length: network.model.classes }, (_, j) => j).filter((j) => j !== label);

/** Margins of which nothing is known. */
export const nothing = (problem: MarginProblem): number[] => otherClasses(problem).map(() => Number.NaN);

/**
 * Lower margins by interval bounds, the last dense layer multiplied by the margins, in float64 with all roundings accounted for.
 *
 * @returns one for each other class, in order; all NaN where a bound is not a number or so large that an execution might overflow
 * @throws CertError `missing-rule` for an op without bounds in float64
 */
export function ibpMargins(problem: MarginProblem): number[] {
  const { network, box, label, level } = problem;
  const last = network.model.nodes.at(-1)!;
  const { at, usable } = enclose(network, box, level);
  if (!usable) return nothing(problem);
  const logits = at.get(last.name)!;
  if (last.op !== 'dense') {
    const { lower, upper } = endsOf(logits);
    return otherClasses(problem).map((j) => towardsMinus(lower[label]! - upper[j]!, 0));
  }
  const { center, radius } = at.get(last.inputs[0]!)!;
  const [kernel, bias] = [valuesOf(network, last.name, 'kernel'), valuesOf(network, last.name, 'bias')];
  const classes = network.model.classes;
  return otherClasses(problem).map((j) => {
    let [sum, width] = [bias[label]! - bias[j]!, 0];
    for (let i = 0; i < center.length; i++) {
      const weight = kernel[i * classes + label]! - kernel[i * classes + j]!;
      sum += weight * center[i]!;
      width += Math.abs(weight) * radius[i]!;
    }
    // The errors of both logits cover the roundings of the difference of weights and of this sum: see `layer`.
    const errors = logits.error![label]! + logits.error![j]!;
    return towardsMinus(sum - (width + errors) * (1 + ownError(center.length + 8)), Math.abs(sum) + width + errors);
  });
}

/**
 * Lower margins by one backward pass of linear relaxation over interval bounds (CROWN-IBP, Zhang et al. 2020), in float64 with all roundings
 * accounted for: see `lowerValue`.
 *
 * @param slopes lower slopes of unstable neurons; default: the adaptive choice
 * @returns as {@link ibpMargins}
 * @throws CertError `missing-rule` for an op without bounds in float64
 */
export function crownIbpMargins(problem: MarginProblem, slopes: LowerSlopes = adaptive): number[] {
  const { network, box, level } = problem;
  const bounds = enclose(network, box, level);
  if (!bounds.usable) return nothing(problem);
  const relaxations = noRelaxations();
  for (const node of network.model.nodes) {
    const name = node.inputs[0]!;
    addRelaxation(relaxations, node, bounds.shapes.get(name)!, endsOf(bounds.at.get(name)!), slopes);
  }
  const last = network.model.nodes.at(-1)!.name;
  return otherClasses(problem).map((j) =>
    lowerValue(network, bounds, relaxations, { node: last, coefficients: difference(problem, j) }),
  );
}

/** The coefficients of logit_label - logit_other. */
export function difference({ network, label }: MarginProblem, other: number): Float64Array {
  const coefficients = new Float64Array(network.model.classes);
  coefficients[label] = 1;
  coefficients[other] = -1;
  return coefficients;
}
