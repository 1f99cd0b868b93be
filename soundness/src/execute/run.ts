import { CertError, type Node } from '@cert/core';
import type { Arithmetic } from './arithmetic.js';
import type { Execution } from './execution.js';
import type { Planner } from './planner.js';
import type { Layer, Prepared } from './prepare.js';
import type { Step } from './schedule.js';
import { evaluateSum, type SumPlan } from './sum.js';
import type { PoolWindow } from './windows.js';

/** A step with what it needs. */
export interface Compiled {
  readonly step: Step;
  readonly prepared: Prepared;
  readonly inputs: readonly Float64Array[];
  readonly out: Float64Array;
}

/** Computes one step into its buffer. */
export function run(
  { step: { node, linear, residual }, prepared: { layer, channels, windows, moves }, inputs, out }: Compiled,
  execution: Execution,
  { round, multiplyAdd, read }: Arithmetic,
  planner: Planner,
): void {
  const [input, other] = inputs as [Float64Array, Float64Array];
  const size = out.length - 1;
  if (linear !== undefined) {
    runLayer(layer!, execution, planner, input, residual === undefined ? undefined : other, out, size);
    return;
  }
  switch (node.op) {
    case 'relu':
      for (let i = 0; i < size; i++) out[i] = Math.max(input[i]!, 0);
      return;
    case 'leakyRelu': {
      const slope = execution.slope === 'float32' ? read(node.attrs.slope) : node.attrs.slope;
      for (let i = 0; i < size; i++) out[i] = input[i]! >= 0 ? input[i]! : round(slope * input[i]!);
      return;
    }
    case 'flatten':
    case 'reshape':
      out.set(input);
      return;
    case 'transpose':
    case 'concat':
      for (let i = 0; i < size; i++) out[i] = inputs[moves!.input[i]!]![moves!.place[i]!]!;
      return;
    case 'maxPool': {
      const channelCount = node.shape.at(-1)!;
      for (let i = 0; i < size; i++) {
        const { pixels } = windows![Math.floor(i / channelCount)]!;
        out[i] = pixels.reduce(
          (most, pixel) => Math.max(most, input[pixel * channelCount + (i % channelCount)]!),
          Number.NEGATIVE_INFINITY,
        );
      }
      return;
    }
    case 'add':
      for (let i = 0; i < size; i++) out[i] = round(input[i]! + other[i]!);
      return;
    case 'affine': {
      const { scale, shift } = channels!;
      for (let i = 0; i < size; i++) {
        const c = i % scale.length;
        out[i] = multiplyAdd(input[i]!, scale[c]!, shift[c]!);
      }
      return;
    }
    case 'batchNorm': {
      const { scale, shift, mean, gamma, beta, deviation } = channels!;
      for (let i = 0; i < size; i++) {
        const c = i % scale.length;
        const centered = round(input[i]! - mean[c]!);
        switch (execution.batchNorm) {
          case 'written':
            out[i] = round(round(round(centered * gamma[c]!) / deviation[c]!) + beta[c]!);
            break;
          case 'centered':
            out[i] = multiplyAdd(centered, scale[c]!, beta[c]!);
            break;
          default:
            out[i] = multiplyAdd(input[i]!, scale[c]!, shift[c]!);
        }
      }
      return;
    }
    case 'globalAvgPool':
    case 'avgPool': {
      const channelCount = node.shape.at(-1)!;
      for (const [w, window] of windows!.entries()) {
        for (let c = 0; c < channelCount; c++) {
          const values = Float64Array.from(window.pixels, (pixel) => input[pixel * channelCount + c]!);
          const at = w * channelCount + c;
          out[at] = average(values, window, execution, planner.plans(values.length, 'numbers'), at, { round, read });
        }
      }
      return;
    }
    default:
      throw noRule(node);
  }
}

function runLayer(
  { count, filters, groups, gather, rows, x }: Layer,
  { fma: fused, underflow }: Execution,
  planner: Planner,
  input: Float64Array,
  residual: Float64Array | undefined,
  out: Float64Array,
  size: number,
): void {
  const perGroup = filters / groups;
  const plans = planner.plans(count, residual === undefined ? 'layer' : 'residual');
  const flushed = underflow !== 'gradual';
  x[count] = 1;
  for (let at = 0; at < size; at += perGroup) {
    const first = (at / perGroup) * count;
    for (let i = 0; i < count; i++) x[i] = input[gather[first + i]!]!;
    for (let k = 0; k < perGroup; k++) {
      if (residual !== undefined) x[count + 1] = residual[at + k]!;
      const start = ((at + k) % filters) * (count + 2);
      out[at + k] = evaluateSum(plans[k % plans.length]!, x, rows, start, fused, flushed);
    }
  }
}

const ones = new Float64Array(1 << 16).fill(1);

function average(
  values: Float64Array,
  { count, places }: PoolWindow,
  { average: form, underflow }: Execution,
  plans: readonly SumPlan[],
  at: number,
  { round, read }: Pick<Arithmetic, 'round' | 'read'>,
): number {
  const terms = form === 'divide-first' ? values.map((value) => round(value / count)) : values;
  const sum = evaluateSum(plans[at % plans.length]!, terms, ones, 0, false, underflow !== 'gradual');
  switch (form) {
    case 'divide':
      return round(sum / count);
    case 'multiply':
      return round(sum * read(1 / count));
    case 'divide-first':
      return sum;
    case 'rescale':
      return round(round(sum / places) * read(places / count));
  }
}

const noRule = ({ op, name }: Pick<Node, 'op' | 'name'>) =>
  new CertError(
    'missing-rule',
    `The float32 execution has no rule for "${op}" (node "${name}").`,
    'Use the ops of @cert/core.',
  );
