/** A network on the host, and products with its weights in float64: plain loops over typed arrays. */
import { CertError, type HostParams, type HostTensor, type Model, type Node, type NodeOf, windowOf } from '@cert/core';

/** A network whose float32 numbers are on the host. They are taken as exact. */
export interface Network64 {
  /** The graph. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** Its running statistics. */
  readonly stats: HostParams;
}

/** The values of one parameter or statistic. */
export function valuesOf({ params, stats }: Network64, node: string, name: string): HostTensor['data'] {
  const tensor = params[node]?.[name] ?? stats[node]?.[name];
  if (tensor !== undefined) return tensor.data;
  throw new CertError(
    'shape-mismatch',
    `The parameters and statistics of "${node}" lack "${name}".`,
    'Give the parameters and running statistics of this model.',
  );
}

/** A convolution or a dense layer. */
export type Layer64 = NodeOf<'conv2d'> | NodeOf<'dense'>;

/** Whether a node is one. */
export const isLayer = (node: Node): node is Layer64 => node.op === 'conv2d' || node.op === 'dense';

/** Where the weights of a layer meet its input and output: a row of weights for each input number that an output pixel sees. */
type Visit = (output: number, input: number, weights: number, count: number) => void;

/**
 * Calls `visit` for every product row of a layer: `count` weights from position `weights` on belong to the input number at `input` and to the
 * outputs from `output` on.
 *
 * @param wanted whether the output pixel that begins at a place is to be visited; default all
 */
function walk(
  node: Layer64,
  shape: readonly number[],
  visit: Visit,
  wanted = (_output: number): boolean => true,
): void {
  const outputs = node.shape.at(-1)!;
  if (node.op === 'dense') {
    const [size] = shape as [number];
    for (let i = 0; i < size; i++) visit(0, i, i * outputs, outputs);
    return;
  }
  const { groups } = node.attrs;
  const { size, stride, padding, dilation } = windowOf(node);
  const perGroup = node.params.kernel[2]!;
  const [h, w, c] = shape as [number, number, number];
  const [high, wide] = node.shape as [number, number, number];
  const filters = outputs / groups;
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const output = (y * wide + x) * outputs;
      if (!wanted(output)) continue;
      for (let ky = 0; ky < size[0]; ky++) {
        const sy = y * stride[0] + ky * dilation[0] - padding[0];
        if (sy < 0 || sy >= h) continue;
        for (let kx = 0; kx < size[1]; kx++) {
          const sx = x * stride[1] + kx * dilation[1] - padding[2];
          if (sx < 0 || sx >= w) continue;
          for (let group = 0; group < groups; group++) {
            for (let k = 0; k < perGroup; k++) {
              const weights = ((ky * size[1] + kx) * perGroup + k) * outputs + group * filters;
              visit(output + group * filters, (sy * w + sx) * c + group * perGroup + k, weights, filters);
            }
          }
        }
      }
    }
  }
}

/** What {@link forward} adds up, each [...shape of the node]. */
export interface Products {
  /** W c + b. */
  readonly center: Float64Array;
  /** |W| r. */
  readonly radius: Float64Array;
  /** (|W| + 2^-40) (m) + |b|. */
  readonly magnitude: Float64Array;
}

/** Added to the magnitude of every weight: times an error term it exceeds what flushing the weight to 0 changes. */
const FLUSHED_WEIGHT = 2 ** -40;

/** The three products of a layer, in float64. @param magnitude of the input, at least |c| + r */
export function forward(
  network: Network64,
  node: Layer64,
  shape: readonly number[],
  input: { readonly center: Float64Array; readonly radius: Float64Array; readonly magnitude: Float64Array },
): Products {
  const kernel = valuesOf(network, node.name, 'kernel');
  const bias = valuesOf(network, node.name, 'bias');
  const size = node.shape.reduce((a, b) => a * b);
  const center = Float64Array.from({ length: size }, (_, i) => bias[i % bias.length]!);
  const radius = new Float64Array(size);
  const magnitude = Float64Array.from(center, Math.abs);
  walk(node, shape, (output, i, weights, count) => {
    const [c, r, m] = [input.center[i]!, input.radius[i]!, input.magnitude[i]!];
    for (let o = 0; o < count; o++) {
      const weight = kernel[weights + o]!;
      const size = Math.abs(weight);
      center[output + o]! += weight * c;
      radius[output + o]! += size * r;
      magnitude[output + o]! += (size + FLUSHED_WEIGHT) * m;
    }
  });
  return { center, radius, magnitude };
}

/**
 * Coefficients on a layer's output to coefficients on its input: their product with W, in float64.
 *
 * @param isZero 1 for numbers of the input that are 0, whose coefficients may be left out
 */
export function backward(
  network: Network64,
  node: Layer64,
  shape: readonly number[],
  coefficients: Float64Array,
  isZero?: Uint8Array,
): Float64Array {
  const kernel = valuesOf(network, node.name, 'kernel');
  const back = new Float64Array(shape.reduce((a, b) => a * b));
  const outputs = node.shape.at(-1)!;
  const product: Visit = (output, i, weights, count) => {
    if (isZero?.[i] === 1) return;
    // Four sums at a time, which do not wait for each other.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let o = 0;
    for (; o + 3 < count; o += 4) {
      a += kernel[weights + o]! * coefficients[output + o]!;
      b += kernel[weights + o + 1]! * coefficients[output + o + 1]!;
      c += kernel[weights + o + 2]! * coefficients[output + o + 2]!;
      d += kernel[weights + o + 3]! * coefficients[output + o + 3]!;
    }
    for (; o < count; o++) a += kernel[weights + o]! * coefficients[output + o]!;
    back[i]! += a + b + (c + d);
  };
  // A neuron depends on a small part of the layers in front of it: most pixels have no coefficients.
  walk(node, shape, product, (output) => {
    for (let o = output; o < output + outputs; o++) if (coefficients[o] !== 0) return true;
    return false;
  });
  return back;
}

/**
 * The windows of a pooling: calls `visit` with an input and the output that it counts for, padding left out.
 *
 * @returns the places that each window has, padding included
 */
export function windows(
  node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'> | NodeOf<'maxPool'>,
  shape: readonly number[],
  visit: (output: number, input: number) => void,
): number {
  const [h, w, c] = shape as [number, number, number];
  const whole = { size: [h, w], stride: [h, w], padding: [0, 0, 0, 0] } as const;
  const { size, stride, padding } = node.op === 'globalAvgPool' ? whole : windowOf(node);
  const [rows, columns] = node.op === 'globalAvgPool' ? [1, 1] : (node.shape as [number, number, number]);
  for (let place = 0; place < rows * columns; place++) {
    const [top, left] = [
      Math.floor(place / columns) * stride[0] - padding[0],
      (place % columns) * stride[1] - padding[2],
    ];
    for (let y = Math.max(0, top); y < Math.min(h, top + size[0]); y++) {
      for (let x = Math.max(0, left); x < Math.min(w, left + size[1]); x++) {
        for (let k = 0; k < c; k++) visit(place * c + k, (y * w + x) * c + k);
      }
    }
  }
  return size[0] * size[1];
}

/** The number that the sum over each window of a mean is divided by, one for each output. */
export function divisors(node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'>, shape: readonly number[]): Float64Array {
  const counts = new Float64Array(node.shape.reduce((a, b) => a * b));
  const n = windows(node, shape, (output) => counts[output]!++);
  return node.op === 'avgPool' && node.attrs.countPadding === true ? counts.fill(n) : counts;
}

/**
 * Where the numbers of a node come from that only moves them.
 *
 * @param shapes of its inputs
 * @returns for each element of its output, row-major, which input it is of and its place there
 */
export function sources(
  node: NodeOf<'transpose'> | NodeOf<'concat'>,
  shapes: readonly (readonly number[])[],
): (readonly [input: number, place: number])[] {
  const size = node.shape.reduce((a, b) => a * b);
  return Array.from({ length: size }, (_, i) => {
    const at = node.shape.map((n, axis) => Math.floor(i / node.shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % n);
    if (node.op === 'transpose') {
      const [shape, { perm }] = [shapes[0]!, node.attrs];
      return [
        0,
        placeOf(
          shape,
          shape.map((_n, axis) => at[perm.indexOf(axis)]!),
        ),
      ];
    }
    const { axis } = node.attrs;
    let input = 0;
    for (; at[axis]! >= shapes[input]![axis]!; input++) at[axis]! -= shapes[input]![axis]!;
    return [input, placeOf(shapes[input]!, at)];
  });
}

/** The place of an element in a tensor, row-major. */
const placeOf = (shape: readonly number[], at: readonly number[]): number =>
  shape.reduce((place, n, axis) => place * n + at[axis]!, 0);
