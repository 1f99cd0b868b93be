import { CertError, type HostTensor, INPUT, type Model, type Node, type NodeOf, type Shape, sizeOf } from '@cert/core';
import type { HostNetwork } from '../network.js';
import type { Execution } from './execution.js';
import { fma, SMALLEST_NORMAL } from './float32.js';
import { evaluateSum, planSum, type SumPlan } from './sum.js';
import { type Gather, gatherIndices, windowsOf } from './windows.js';

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

/** A step with what it needs. */
interface Compiled {
  readonly step: Step;
  readonly prepared: Prepared;
  readonly inputs: readonly Float64Array[];
  readonly out: Float64Array;
}

/** One or more nodes that are computed at once; the result is that of `node`. */
interface Step {
  readonly node: Node;
  /** The value that the op reads; for a fused residual addition, what is added comes second. */
  readonly inputs: readonly string[];
  /** The convolution or dense layer, where there is one. */
  readonly linear?: NodeOf<'conv2d'> | NodeOf<'dense'>;
  /** The batch normalization that is folded into it. */
  readonly norm?: NodeOf<'batchNorm'>;
  /** Whether the second input begins its sums. */
  readonly residual?: true;
}

/** What is computed once for a node and a way to execute. */
interface Prepared {
  readonly layer?: Layer;
  readonly channels?: Channels;
  /** The pixels of every window of a pooling. */
  readonly windows?: readonly Int32Array[];
}

/** A convolution or dense layer: gathered inputs times rows. */
interface Layer extends Gather {
  readonly filters: number;
  /** [filters, count + 2]: weights, bias, and 1 for a residual. */
  readonly rows: Float64Array;
  readonly x: Float64Array;
}

/** A map of each channel. */
interface Channels {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  readonly mean: Float64Array;
  readonly gamma: Float64Array;
  readonly beta: Float64Array;
  /** sqrt(variance + epsilon). */
  readonly deviation: Float64Array;
}

/** Which nodes are computed when, and which at once. */
function scheduleSteps(model: Model, folds: boolean, fuses: boolean): readonly Step[] {
  const readers = (name: string) => model.nodes.filter(({ inputs }) => inputs.includes(name)).length;
  const steps = new Map<string, Step>();
  for (const node of model.nodes) {
    if (node.op === 'conv2d' || node.op === 'dense') {
      steps.set(node.name, { node, inputs: node.inputs, linear: node });
      continue;
    }
    if (node.op === 'batchNorm' && folds) {
      const before = steps.get(node.inputs[0]!);
      if (before?.linear !== undefined && before.norm === undefined && readers(before.node.name) === 1) {
        steps.delete(before.node.name);
        steps.set(node.name, { ...before, node, norm: node });
        continue;
      }
    }
    if (node.op === 'add' && fuses) {
      const [left, right] = node.inputs as [string, string];
      const takes = (name: string) => readers(name) === 1 && steps.get(name)?.linear !== undefined && left !== right;
      const branch = [right, left].find((name) => takes(name) && steps.get(name)!.residual === undefined);
      if (branch !== undefined) {
        const { linear, norm, inputs } = steps.get(branch)!;
        steps.delete(branch);
        const other = branch === right ? left : right;
        const fused: Step = { node, inputs: [inputs[0]!, other], residual: true, linear: linear! };
        steps.set(node.name, norm === undefined ? fused : { ...fused, norm });
        continue;
      }
    }
    steps.set(node.name, { node, inputs: node.inputs });
  }
  return [...steps.values()];
}

const flush = (value: number, flushed: boolean): number =>
  flushed && value < SMALLEST_NORMAL && value > -SMALLEST_NORMAL ? 0 : value;

/** The operations besides sums of products, each rounded once. */
interface Arithmetic {
  /** A parameter or constant as it is read. */
  readonly read: (value: number) => number;
  readonly round: (value: number) => number;
  /** a b + c. */
  readonly multiplyAdd: (a: number, b: number, c: number) => number;
}

function arithmeticOf({ fma: fused, underflow }: Execution): Arithmetic {
  const flushed = underflow !== 'gradual';
  const round = (value: number) => flush(Math.fround(value), flushed);
  return {
    round,
    read: (value) => flush(Math.fround(value), underflow === 'flush-inputs'),
    multiplyAdd: fused ? (a, b, c) => flush(fma(a, b, c), flushed) : (a, b, c) => round(round(a * b) + c),
  };
}

function prepareStep({ model, params, stats }: HostNetwork, step: Step, execution: Execution): Prepared {
  const arithmetic = arithmeticOf(execution);
  const { node, linear, norm } = step;
  const { read, round, multiplyAdd } = arithmetic;
  if (node.op === 'globalAvgPool' || node.op === 'avgPool') {
    return { windows: windowsOf(node, shapeOf(model, node.inputs[0]!)) };
  }
  const normalization = norm ?? (node.op === 'batchNorm' ? node : undefined);
  const channels =
    normalization !== undefined
      ? normChannels(normalization, params[normalization.name]!, stats[normalization.name]!, arithmetic)
      : node.op === 'affine'
        ? affineChannels(node, arithmetic)
        : undefined;
  if (linear === undefined) return channels === undefined ? {} : { channels };

  const { kernel, bias } = params[linear.name] as { readonly kernel: HostTensor; readonly bias: HostTensor };
  const layer = layerOf(linear, shapeOf(model, linear.inputs[0]!));
  const { count, filters, rows } = layer;
  for (let f = 0; f < filters; f++) {
    const start = f * (count + 2);
    for (let i = 0; i < count; i++) rows[start + i] = read(kernel.data[i * filters + f]!);
    rows[start + count] = read(bias.data[f]!);
    rows[start + count + 1] = 1;
    if (channels === undefined) continue;
    const scale = channels.scale[f]!;
    for (let i = 0; i < count; i++) rows[start + i] = round(rows[start + i]! * scale);
    const b = rows[start + count]!;
    rows[start + count] =
      execution.batchNorm === 'folded-centered'
        ? multiplyAdd(round(b - channels.mean[f]!), scale, channels.beta[f]!)
        : multiplyAdd(b, scale, channels.shift[f]!);
  }
  return { layer };
}

function normChannels(
  node: NodeOf<'batchNorm'>,
  params: { readonly [name: string]: HostTensor },
  stats: { readonly [name: string]: HostTensor },
  { read, round, multiplyAdd }: Arithmetic,
): Channels {
  const column = (tensor: HostTensor) => Float64Array.from(tensor.data, read);
  const [gamma, beta, mean] = [column(params.gamma!), column(params.beta!), column(stats.mean!)];
  const epsilon = read(node.attrs.epsilon);
  const deviation = column(stats.variance!).map((variance) => round(Math.sqrt(round(variance + epsilon))));
  const scale = gamma.map((g, c) => round(g / deviation[c]!));
  const shift = beta.map((b, c) => multiplyAdd(-mean[c]!, scale[c]!, b));
  return { scale, shift, mean, gamma, beta, deviation };
}

function affineChannels(node: NodeOf<'affine'>, { read }: Arithmetic): Channels {
  const none = new Float64Array(0);
  const [scale, shift] = [Float64Array.from(node.attrs.scale, read), Float64Array.from(node.attrs.shift, read)];
  return { scale, shift, mean: none, gamma: none, beta: none, deviation: none };
}

/** A layer without its weights. */
function layerOf(node: NodeOf<'conv2d'> | NodeOf<'dense'>, input: Shape): Layer {
  const gathered = gatherIndices(node, input);
  const filters = node.shape.at(-1)!;
  const stride = gathered.count + 2;
  return { ...gathered, filters, rows: new Float64Array(filters * stride), x: new Float64Array(stride) };
}

const shapeOf = (model: Model, name: string): Shape =>
  name === INPUT ? model.inputShape : model.nodes.find((node) => node.name === name)!.shape;

/** Plans of sums by length, for one execution after the other. */
interface Planner {
  begin(execution: Execution): void;
  /** The plans of sums of `count` products and a bias, or of `count` numbers; the i-th sum takes the i-th of them, over and over. */
  plans(count: number, form: SumForm): readonly SumPlan[];
}

/** Products and a bias, the same with a residual, or numbers alone. */
type SumForm = 'layer' | 'residual' | 'numbers';

/** How many random plans there are for sums of one length in one execution. */
const VARIANTS = 3;

function createPlanner(): Planner {
  const kept = new Map<string, Map<string, readonly SumPlan[]>>();
  let current: Execution;
  let plans = new Map<string, readonly SumPlan[]>();
  return {
    begin(execution) {
      current = execution;
      const { kind } = execution.sum;
      const key = `${kind} ${execution.sum.kind === 'lanes' ? execution.sum.lanes : ''} ${execution.bias}`;
      plans = (kind === 'random' ? undefined : kept.get(key)) ?? new Map();
      if (kind !== 'random') kept.set(key, plans);
    },
    plans(count, form) {
      const key = `${form}${count}`;
      const { sum, bias } = current;
      const made =
        plans.get(key) ??
        Array.from({ length: sum.kind === 'random' ? VARIANTS : 1 }, (_, variant) =>
          planSum(sum, count, { ...endsOf(count, form, bias), variant }),
        );
      plans.set(key, made);
      return made;
    },
  };
}

function endsOf(count: number, form: SumForm, bias: Execution['bias']) {
  const residual = form === 'residual' ? [count + 1] : [];
  if (form === 'numbers') return {};
  return bias === 'first' ? { first: [...residual, count] } : { first: residual, last: [count] };
}

/** Computes one step into its buffer. */
function run(
  { step: { node, linear, residual }, prepared: { layer, channels, windows }, inputs, out }: Compiled,
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
    case 'flatten':
      out.set(input);
      return;
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
      for (const [w, pixels] of windows!.entries()) {
        for (let c = 0; c < channelCount; c++) {
          const values = Float64Array.from(pixels, (pixel) => input[pixel * channelCount + c]!);
          out[w * channelCount + c] = average(values, execution, planner, w * channelCount + c, round, read);
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
  { average: form, underflow }: Execution,
  planner: Planner,
  at: number,
  round: (value: number) => number,
  read: (value: number) => number,
): number {
  const n = values.length;
  const terms = form === 'divide-first' ? values.map((value) => round(value / n)) : values;
  const plans = planner.plans(n, 'numbers');
  const sum = evaluateSum(plans[at % plans.length]!, terms, ones, 0, false, underflow !== 'gradual');
  if (form === 'divide-first') return sum;
  return form === 'divide' ? round(sum / n) : round(sum * read(1 / n));
}

const noRule = ({ op, name }: Pick<Node, 'op' | 'name'>) =>
  new CertError(
    'missing-rule',
    `The float32 execution has no rule for "${op}" (node "${name}").`,
    'Use the ops of @cert/core.',
  );
