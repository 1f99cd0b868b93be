/** Networks executed number by number in plain JavaScript, in one of the many ways in which a float32 runtime may do it. */
import {
  type HostParams,
  INPUT,
  type Model,
  type Node,
  type NodeOf,
  placesOf,
  type Rng,
  type Shape,
  type Window,
  windowOf,
} from '@cert/core';

/** A network whose numbers are on the host. */
export interface HostNetwork {
  /** The graph, of built-in ops. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** Its running statistics. */
  readonly stats: HostParams;
}

/** How numbers are added up and multiplied. */
interface Machine {
  readonly round: (x: number) => number;
  /** The sum of products, and of a bias. */
  readonly dot: (a: readonly number[], b: readonly number[], bias: number) => number;
  /** Which of the forms of a batch normalization is used: written, scale and shift, folded. */
  readonly form: () => number;
}

/**
 * The logits of one example in float64: within 1e-12 of those over the real numbers for networks of ordinary size.
 *
 * @param x row-major [...inputShape]
 */
export const executeFloat64 = (network: HostNetwork, x: ArrayLike<number>): number[] =>
  execute(network, Array.from(x), {
    round: (value) => value,
    dot: (a, b, bias) => a.reduce((sum, value, i) => sum + value * b[i]!, bias),
    form: () => 0,
  });

/**
 * The logits of one example as some float32 runtime computes them: every sum in an order and grouping of its own, with or without fused
 * multiply-add, with gradual or flushed underflow, batch normalizations as written, as scale and shift, or folded into the layer before.
 *
 * @param x row-major [...inputShape], float32
 * @param rng decides all of that; other draws give other executions
 */
export function executeFloat32(network: HostNetwork, x: Float32Array, rng: Rng): number[] {
  const flush = rng.uniform() < 0.3;
  const round = (value: number): number => {
    const rounded = Math.fround(value);
    return flush && Math.abs(rounded) < 2 ** -126 ? 0 : rounded;
  };
  const pick = (n: number) => Math.min(n - 1, Math.floor(rng.uniform() * n));
  const style = pick(4);
  return execute(network, Array.from(x), {
    round,
    form: () => pick(4),
    dot(a, b, bias) {
      const order = orderOf(style, a.length, pick);
      // Fused multiply-add: float64 holds the product exactly, and the sum is rounded once to float32 but for double rounding.
      if (style !== 3 && rng.uniform() < 0.3) {
        const first = rng.uniform() < 0.5;
        const sum = order.reduce((total, i) => round(a[i]! * b[i]! + total), first ? bias : 0);
        return first ? sum : round(sum + bias);
      }
      const terms = [...order.map((i) => round(a[i]! * b[i]!)), bias];
      return style === 3 ? pairwise(terms, round) : terms.reduce((total, term) => round(total + term));
    },
  });
}

/** Forwards, backwards, shuffled. */
function orderOf(style: number, length: number, pick: (n: number) => number): number[] {
  const order = Array.from({ length }, (_, i) => i);
  if (style === 1) return order.reverse();
  if (style !== 2) return order;
  for (let i = length - 1; i > 0; i--) {
    const j = pick(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function pairwise(terms: readonly number[], round: (x: number) => number): number {
  if (terms.length === 1) return terms[0]!;
  const half = terms.length >> 1;
  return round(pairwise(terms.slice(0, half), round) + pairwise(terms.slice(half), round));
}

function execute({ model, params, stats }: HostNetwork, x: readonly number[], machine: Machine): number[] {
  const { round, form } = machine;
  const at = new Map<string, readonly number[]>([[INPUT, x]]);
  const shapes = new Map([[INPUT, model.inputShape], ...model.nodes.map(({ name, shape }) => [name, shape] as const)]);
  const folded = new Map<string, { readonly scale: number[]; readonly shift: number[] }>();
  const data = (node: string, name: string) => Array.from((params[node]?.[name] ?? stats[node]?.[name])!.data);
  for (const node of model.nodes) {
    const next = model.nodes.filter(({ inputs }) => inputs.includes(node.name));
    const [only] = next;
    if (
      next.length === 1 &&
      only!.op === 'batchNorm' &&
      (node.op === 'conv2d' || node.op === 'dense') &&
      form() === 3
    ) {
      folded.set(node.name, scaleAndShift(only!, data, round));
      folded.set(only!.name, folded.get(node.name)!);
    }
    at.set(
      node.name,
      step(
        node,
        node.inputs.map((name) => at.get(name)!),
        node.inputs.map((name) => shapes.get(name)!),
      ),
    );
  }
  return [...at.get(model.nodes.at(-1)!.name)!];

  function step(node: Node, inputs: readonly (readonly number[])[], inputShapes: readonly Shape[]) {
    const [input, other] = inputs as readonly [readonly number[], readonly number[] | undefined];
    const shape = inputShapes[0]!;
    switch (node.op) {
      case 'relu':
        return input.map((value) => Math.max(value, 0));
      case 'add':
        return input.map((value, i) => round(value + other![i]!));
      case 'flatten':
      case 'reshape':
        return input;
      case 'leakyRelu': {
        const slope = round(node.attrs.slope);
        return input.map((value) => (value >= 0 ? value : round(slope * value)));
      }
      case 'maxPool':
        return seen(shape, windowOf(node)).map((places) => Math.max(...places.map((i) => input[i]!)));
      case 'transpose':
        return transposed(input, shape, node.attrs.perm);
      case 'concat':
        return concatenated(inputs, inputShapes, node.attrs.axis);
      case 'affine': {
        const { scale, shift } = node.attrs;
        const count = scale.length;
        return input.map((value, i) => round(round(value * round(scale[i % count]!)) + round(shift[i % count]!)));
      }
      case 'batchNorm':
        return folded.has(node.name) ? input : normalize(node, input, data, machine);
      case 'dense':
      case 'conv2d':
        return layer(node, input, shape);
      case 'globalAvgPool': {
        const [h, w] = shape as [number, number, number];
        return pool(input, shape, { size: [h, w], stride: [h, w], padding: [0, 0, 0, 0] }, false);
      }
      case 'avgPool':
        return pool(input, shape, windowOf(node), node.attrs.countPadding === true);
      default:
        throw new Error(`no execution of ${(node as { readonly op: string }).op}`);
    }
  }

  function layer(node: NodeOf<'conv2d'> | NodeOf<'dense'>, input: readonly number[], shape: readonly number[]) {
    const outputs = node.shape.at(-1)!;
    const fold = folded.get(node.name);
    const kernel = data(node.name, 'kernel').map((w, i) => (fold ? round(w * fold.scale[i % outputs]!) : w));
    const bias = data(node.name, 'bias').map((b, i) => (fold ? round(round(b * fold.scale[i]!) + fold.shift[i]!) : b));
    if (node.op === 'dense') {
      const column = (j: number) => input.map((_, i) => kernel[i * outputs + j]!);
      return bias.map((b, j) => machine.dot(input, column(j), b));
    }
    const { groups } = node.attrs;
    const { size, stride, padding, dilation } = windowOf(node);
    const perGroup = node.params.kernel[2]!;
    const [h, w, c] = shape as [number, number, number];
    const result: number[] = [];
    const [high, wide] = node.shape as [number, number, number];
    for (let y = 0; y < high; y++) {
      for (let xx = 0; xx < wide; xx++) {
        for (let f = 0; f < outputs; f++) {
          const group = Math.floor(f / (outputs / groups));
          const [values, weights]: [number[], number[]] = [[], []];
          for (let ky = 0; ky < size[0]; ky++) {
            for (let kx = 0; kx < size[1]; kx++) {
              const sy = y * stride[0] + ky * dilation[0] - padding[0];
              const sx = xx * stride[1] + kx * dilation[1] - padding[2];
              if (sy < 0 || sx < 0 || sy >= h || sx >= w) continue;
              for (let k = 0; k < perGroup; k++) {
                values.push(input[(sy * w + sx) * c + group * perGroup + k]!);
                weights.push(kernel[((ky * size[1] + kx) * perGroup + k) * outputs + f]!);
              }
            }
          }
          result.push(machine.dot(values, weights, bias[f]!));
        }
      }
    }
    return result;
  }

  function pool(
    input: readonly number[],
    shape: readonly number[],
    window: Omit<Window, 'dilation'>,
    countPadding: boolean,
  ): number[] {
    const byProduct = form() === 1;
    return seen(shape, window).map((places) => {
      const count = countPadding ? window.size[0] * window.size[1] : places.length;
      const values = places.map((i) => input[i]!);
      const sum = machine.dot(values, Array<number>(values.length).fill(1), 0);
      return byProduct ? round(sum * round(1 / count)) : round(sum / count);
    });
  }
}

/** The inputs that each window of a pooling sees, padding left out, in the order of the outputs. */
function seen([h, w, c]: readonly number[], window: Omit<Window, 'dilation'>): number[][] {
  const { size, stride, padding } = window;
  const [rows, columns] = placesOf({ ...window, dilation: [1, 1] }, [h!, w!]);
  return Array.from({ length: rows * columns * c! }, (_, i) => {
    const [place, k] = [Math.floor(i / c!), i % c!];
    const top = Math.floor(place / columns) * stride[0] - padding[0];
    const left = (place % columns) * stride[1] - padding[2];
    const places: number[] = [];
    for (let y = Math.max(0, top); y < Math.min(h!, top + size[0]); y++) {
      for (let x = Math.max(0, left); x < Math.min(w!, left + size[1]); x++) places.push((y * w! + x) * c! + k);
    }
    return places;
  });
}

/** Numbers of a shape with its axes in another order: one axis after the other, the slowest first. */
function transposed(values: readonly number[], shape: Shape, perm: readonly number[]): number[] {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const visit = (depth: number, start: number): number[] =>
    depth === perm.length
      ? [values[start]!]
      : Array.from({ length: shape[perm[depth]!]! }, (_, i) =>
          visit(depth + 1, start + i * steps[perm[depth]!]!),
        ).flat();
  return visit(0, 0);
}

/** Numbers of several shapes behind each other along an axis: blocks of what lies behind the axis, in turns. */
function concatenated(inputs: readonly (readonly number[])[], shapes: readonly Shape[], axis: number): number[] {
  const blocks = shapes.map((shape) => shape.slice(axis).reduce((a, b) => a * b, 1));
  const turns = inputs[0]!.length / blocks[0]!;
  return Array.from({ length: turns }, (_, turn) =>
    inputs.flatMap((values, k) => values.slice(turn * blocks[k]!, (turn + 1) * blocks[k]!)),
  ).flat();
}

type Read = (node: string, name: string) => number[];

function scaleAndShift(node: NodeOf<'batchNorm'>, data: Read, round: (x: number) => number) {
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map((name) => data(node.name, name));
  const scale = gamma!.map((g, i) => round(g / round(Math.sqrt(round(variance![i]! + round(node.attrs.epsilon))))));
  return { scale, shift: beta!.map((b, i) => round(b - round(mean![i]! * scale[i]!))) };
}

function normalize(
  node: NodeOf<'batchNorm'>,
  input: readonly number[],
  data: Read,
  { round, form }: Machine,
): number[] {
  const channels = node.shape.at(-1)!;
  const chosen = form();
  const { scale, shift } = scaleAndShift(node, data, round);
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map((name) => data(node.name, name));
  return input.map((x, position) => {
    const i = position % channels;
    if (chosen === 1) return round(round(x * scale[i]!) + shift[i]!);
    if (chosen === 2) return round(round(round(x - mean![i]!) * scale[i]!) + beta![i]!);
    const deviation = round(Math.sqrt(round(variance![i]! + round(node.attrs.epsilon))));
    return round(round(round(round(x - mean![i]!) / deviation) * gamma![i]!) + beta![i]!);
  });
}
