import { INPUT, sizeOf } from '@cert/core';
import type { HostNetwork } from '../network.js';
import { arithmeticOf, flush } from './arithmetic.js';
import type { Execution } from './execution.js';
import { createPlanner } from './planner.js';
import { type Prepared, prepareStep } from './prepare.js';
import { type Compiled, run } from './run.js';
import { type Step, scheduleSteps } from './schedule.js';

/** The logits of one image under one execution. The array is new. */
export type Executor = (image: ArrayLike<number>, execution: Execution) => Float32Array;

/**
 * Float32 execution of a network: every operation rounds once to float32, in the order that the execution names. Exactly what a
 * machine computes that follows IEEE 754 in that order; overflow included.
 *
 * @param image float32 numbers, row-major [...inputShape]
 * @throws CertError `missing-rule` for an op of a plug-in
 */
export const execute = (network: HostNetwork, image: ArrayLike<number>, execution: Execution): Float32Array =>
  executor(network)(image, execution);

/** {@link execute} for many images and executions of one network, which is prepared once. Not re-entrant: buffers are shared. */
export function executor(network: HostNetwork): Executor {
  const { model } = network;
  const buffers = new Map<string, Float64Array>();
  // One more number, which is always 0: what padding reads.
  const bufferOf = (name: string, size: number) => {
    const buffer = buffers.get(name) ?? new Float64Array(size + 1);
    buffers.set(name, buffer);
    return buffer;
  };
  const schedules = new Map<string, readonly Step[]>();
  const scheduleOf = ({ batchNorm, residual }: Execution) => {
    const key = `${batchNorm.startsWith('folded')} ${residual}`;
    const schedule = schedules.get(key) ?? scheduleSteps(model, batchNorm.startsWith('folded'), residual === 'fused');
    schedules.set(key, schedule);
    return schedule;
  };
  const prepared = new Map<string, Prepared>();
  const prepare = (step: Step, execution: Execution): Prepared => {
    const { fma: fused, underflow, batchNorm } = execution;
    const key = `${step.node.name} ${step.linear?.name ?? ''} ${fused} ${underflow} ${batchNorm}`;
    const made = prepared.get(key) ?? prepareStep(network, step, execution);
    prepared.set(key, made);
    return made;
  };
  const planner = createPlanner();
  const inputSize = sizeOf(model.inputShape);
  const input = bufferOf(INPUT, inputSize);
  const last = model.nodes.at(-1)!;
  /** What an execution does, with its buffers. Kept for the next image under the same execution. */
  const compile = (execution: Execution) => {
    planner.begin(execution);
    const arithmetic = arithmeticOf(execution);
    const steps = scheduleOf(execution).map((step): Compiled => {
      const out = bufferOf(step.node.name, sizeOf(step.node.shape));
      return { step, prepared: prepare(step, execution), inputs: step.inputs.map((name) => buffers.get(name)!), out };
    });
    return { execution, arithmetic, steps };
  };
  let compiled: ReturnType<typeof compile> | undefined;

  return (image, execution) => {
    if (compiled?.execution !== execution) compiled = compile(execution);
    const { arithmetic, steps } = compiled;
    const flushInput = execution.underflow === 'flush-inputs';
    for (let i = 0; i < inputSize; i++) input[i] = flush(image[i]!, flushInput);
    for (const each of steps) run(each, execution, arithmetic, planner);
    return Float32Array.from(buffers.get(last.name)!.subarray(0, model.classes));
  };
}
