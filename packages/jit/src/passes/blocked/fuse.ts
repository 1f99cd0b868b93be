import type { Builder } from '../../builder.js';
import { type Graph, sizeOf, type Value, type ValueOf } from '../../ir.js';
import { type Rule, readers } from '../../rewrite.js';

/**
 * What only blocked images need, at the end: x * scale + shift over channels, with or without a ReLU, in one pass as a convolution;
 * sums over images and pixels in two steps.
 */
export function blockedFusion(graph: Graph): Rule {
  const count = readers(graph);
  return (build, value, original) => {
    const once = (i: number) => count.get(original.inputs[i]!) === 1;
    switch (value.op) {
      case 'unary': {
        const [x] = value.inputs;
        if (value.attrs.f !== 'relu' || x!.op !== 'blockedConv' || !once(0)) return undefined;
        const [image, filter, bias] = x!.inputs;
        return build.blockedConv(image!, filter!, { ...x!.attrs, relu: true }, bias);
      }
      case 'binary':
        return affine(build, value, original, count);
      case 'reduce':
        return twoSteps(build, value);
      default:
        return undefined;
    }
  };
}

/** x * scale + shift as a convolution of single pixels, channel by channel; also scale and shift alone. */
function affine(
  build: Builder,
  value: ValueOf<'binary'>,
  original: Value,
  count: ReadonlyMap<Value, number>,
): Value | undefined {
  if (value.attrs.f !== 'add' || value.shape.length !== 5) return undefined;
  for (const [i, j] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const [product, shift] = [value.inputs[i]!, value.inputs[j]!];
    if (!isChannelVector(shift, value) || product.op !== 'binary' || product.attrs.f !== 'mul') continue;
    if (count.get(original.inputs[i]!) !== 1) continue;
    const scale = product.inputs.find((x) => isChannelVector(x, value));
    const x = product.inputs.find((y) => y !== scale);
    if (scale === undefined || x === undefined || x.shape.join() !== value.shape.join()) continue;
    const [, groups, , , size] = value.shape as [number, number, number, number, number];
    const filter = build.reshape(scale, [groups, 1, 1, 1, size]);
    const geometry = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: groups * size } as const;
    return build.blockedConv(x, filter, { ...geometry, relu: false }, build.reshape(shift, [groups * size]));
  }
  return undefined;
}

const isChannelVector = (x: Value, { shape }: Value): boolean =>
  x.shape.length === 5 &&
  x.shape[1] === shape[1] &&
  x.shape[4] === shape[4] &&
  sizeOf(x.shape) === shape[1]! * shape[4]!;

function twoSteps(build: Builder, value: ValueOf<'reduce'>): Value | undefined {
  const x = value.inputs[0]!;
  const { f, axes } = value.attrs;
  if (f !== 'sum' || x.shape.length !== 5 || axes.join() !== '0,2,3') return undefined;
  const [n, groups, h, w, size] = x.shape as [number, number, number, number, number];
  const pixels = build.reduce('sum', build.reshape(x, [n * groups, h * w, size]), [1]);
  return build.reshape(build.reduce('sum', build.reshape(pixels, [n, groups, size]), [0]), value.shape);
}

/** Vectors over channels are spread over one image: ONNX Runtime broadcasts slowly along an axis as short as a block. */
export const spreadChannels: Rule = (build, value) => {
  if (value.op !== 'binary' || value.shape.length !== 5) return undefined;
  const [, groups, h, w, size] = value.shape as [number, number, number, number, number];
  if (h * w === 1) return undefined;
  const [a, b] = value.inputs.map((x) => (isChannelVector(x, value) ? build.expand(x, [1, groups, h, w, size]) : x));
  return build.binary(value.attrs.f, a!, b!);
};
