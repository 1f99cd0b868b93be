import { type HostTensor, INPUT, type Model, type NodeOf, type Shape } from '@cert/core';
import type { HostNetwork } from '../network.js';
import { type Arithmetic, arithmeticOf } from './arithmetic.js';
import type { Execution } from './execution.js';
import { type Moves, movesOf } from './moves.js';
import type { Step } from './schedule.js';
import { type Gather, gatherIndices, type PoolWindow, windowsOf } from './windows.js';

/** What is computed once for a node and a way to execute. */
export interface Prepared {
  readonly layer?: Layer;
  readonly channels?: Channels;
  /** The windows of a pooling. */
  readonly windows?: readonly PoolWindow[];
  /** Where the numbers of a transpose or concat come from. */
  readonly moves?: Moves;
}

/** A convolution or dense layer: gathered inputs times rows. */
export interface Layer extends Gather {
  readonly filters: number;
  /** [filters, count + 2]: weights, bias, and 1 for a residual. */
  readonly rows: Float64Array;
  readonly x: Float64Array;
}

/** A map of each channel; of an affine node, perhaps of each element. */
interface Channels {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  readonly mean: Float64Array;
  readonly gamma: Float64Array;
  readonly beta: Float64Array;
  /** sqrt(variance + epsilon). */
  readonly deviation: Float64Array;
}

/** What a step needs under an execution, whatever the image. */
export function prepareStep({ model, params, stats }: HostNetwork, step: Step, execution: Execution): Prepared {
  const arithmetic = arithmeticOf(execution);
  const { node, linear, norm } = step;
  const { read, round, multiplyAdd } = arithmetic;
  if (node.op === 'globalAvgPool' || node.op === 'avgPool' || node.op === 'maxPool') {
    return { windows: windowsOf(node, shapeOf(model, node.inputs[0]!)) };
  }
  if (node.op === 'transpose' || node.op === 'concat') {
    const shapes = node.inputs.map((name) => shapeOf(model, name));
    return { moves: movesOf(node, shapes) };
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
