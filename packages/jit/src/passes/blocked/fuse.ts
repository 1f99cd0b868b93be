import { sizeOf } from '@cert/core';
import type { Builder } from '../../graph/builder.js';
import type { Graph, Value, ValueOf } from '../../graph/ir.js';
import { type Rule, readers } from '../../graph/rewrite.js';

/** A ReLU becomes part of the convolution in front of it; sums over images and pixels are taken in two steps, each of which is fast. */
export function blockedFusion(graph: Graph): Rule {
  const count = readers(graph);
  return (build, value, original) => {
    const once = (i: number) => count.get(original.inputs[i]!) === 1;
    switch (value.op) {
      case 'unary': {
        const [x] = value.inputs;
        if (value.attrs.f !== 'relu' || x!.op !== 'blockedConv' || !once(0)) return undefined;
        const [image, filter, ...rest] = x!.inputs;
        return build.blockedConv(image!, filter!, { ...x!.attrs, relu: true }, ...rest);
      }
      case 'reduce':
        return twoSteps(build, value);
      default:
        return undefined;
    }
  };
}

/** Whether x has one number for each channel of a blocked image. */
export const isChannelVector = (x: Value, { shape }: Value): boolean =>
  shape.length === 5 &&
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
