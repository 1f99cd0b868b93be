/** A network on the host, and products with its weights in float64: plain loops over typed arrays. */
import { CertError, type HostParams, type HostTensor, type Model, type Node, type NodeOf } from '@cert/core';

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
    `"${node}" has no parameter and no statistic "${name}".`,
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
 */
function walk(node: Layer64, shape: readonly number[], visit: Visit): void {
  const outputs = node.shape.at(-1)!;
  if (node.op === 'dense') {
    const [size] = shape as [number];
    for (let i = 0; i < size; i++) visit(0, i, i * outputs, outputs);
    return;
  }
  const { stride, padding, groups } = node.attrs;
  const [side, , perGroup] = node.params.kernel as [number, number, number, number];
  const [h, w, c] = shape as [number, number, number];
  const [high, wide] = node.shape as [number, number, number];
  const filters = outputs / groups;
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const output = (y * wide + x) * outputs;
      for (let ky = 0; ky < side; ky++) {
        const sy = y * stride + ky - padding;
        if (sy < 0 || sy >= h) continue;
        for (let kx = 0; kx < side; kx++) {
          const sx = x * stride + kx - padding;
          if (sx < 0 || sx >= w) continue;
          for (let group = 0; group < groups; group++) {
            for (let k = 0; k < perGroup; k++) {
              const weights = ((ky * side + kx) * perGroup + k) * outputs + group * filters;
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

/** Coefficients on a layer's output to coefficients on its input: their product with W, in float64. */
export function backward(
  network: Network64,
  node: Layer64,
  shape: readonly number[],
  coefficients: Float64Array,
): Float64Array {
  const kernel = valuesOf(network, node.name, 'kernel');
  const back = new Float64Array(shape.reduce((a, b) => a * b));
  walk(node, shape, (output, i, weights, count) => {
    let sum = 0;
    for (let o = 0; o < count; o++) sum += kernel[weights + o]! * coefficients[output + o]!;
    back[i]! += sum;
  });
  return back;
}

/** The windows of a mean over pixels: calls `visit` with an input and the output that it counts for. @returns numbers in a window */
export function windows(
  node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'>,
  shape: readonly number[],
  visit: (output: number, input: number) => void,
): number {
  const [h, w, c] = shape as [number, number, number];
  const [high, wide] = node.op === 'avgPool' ? [node.attrs.size, node.attrs.size] : [h, w];
  const [rows, columns] = [Math.floor(h / high), Math.floor(w / wide)];
  for (let y = 0; y < rows * high; y++) {
    for (let x = 0; x < columns * wide; x++) {
      const output = (Math.floor(y / high) * columns + Math.floor(x / wide)) * c;
      for (let k = 0; k < c; k++) visit(output + k, (y * w + x) * c + k);
    }
  }
  return high * wide;
}
