import { CertError, type TF, tf } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Geometry, Value } from '../graph/ir.js';
import type { Lowering } from './lowering.js';

/** [N,H,W,C] to [N,C,H,W] and back, [h,w,C,F] to [F,C,h,w] and back. */
const TO_CHANNELS_FIRST = [0, 3, 1, 2];
const TO_CHANNELS_LAST = [0, 2, 3, 1];
const TO_OIHW = [3, 2, 0, 1];
const TO_HWIO = [2, 3, 1, 0];

type Attrs = Record<string, unknown>;
type Shape4D = [number, number, number, number];

/** Whatever TensorFlow.js accepts for padding, as four numbers. */
function convGeometry(x: readonly number[], filter: readonly number[], attrs: Attrs, depthwise = false): Geometry {
  const info = tf.backend_util.computeConv2DInfo(
    x as Shape4D,
    filter as Shape4D,
    attrs.strides as number,
    (attrs.dilations as number | undefined) ?? 1,
    attrs.pad as 'same',
    attrs.dimRoundingMode as 'floor',
    depthwise,
  );
  channelsLast(attrs);
  return geometry(info, depthwise ? x[3]! : 1);
}

function poolGeometry(x: readonly number[], attrs: Attrs): { geometry: Geometry; window: [number, number] } {
  const info = tf.backend_util.computePool2DInfo(
    x as Shape4D,
    attrs.filterSize as number,
    attrs.strides as number,
    1,
    attrs.pad as 'same',
    attrs.dimRoundingMode as 'floor',
  );
  return { geometry: geometry(info, 1), window: [info.filterHeight, info.filterWidth] };
}

const geometry = (info: TF.backend_util.Conv2DInfo, groups: number): Geometry => ({
  strides: [info.strideHeight, info.strideWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
  dilations: [info.dilationHeight, info.dilationWidth],
  groups,
});

function channelsLast(attrs: Attrs): void {
  if (attrs.dataFormat === undefined || attrs.dataFormat === 'NHWC' || attrs.dataFormat === 'channelsLast') return;
  throw new CertError(
    'unsupported-kernel',
    `A convolution with the data format ${attrs.dataFormat} reached a compiled function.`,
    'Use NHWC; the compiler chooses the layout in memory itself.',
  );
}

const first = (build: Builder, x: Value) => build.transpose(x, TO_CHANNELS_FIRST);
const last = (build: Builder, x: Value) => build.transpose(x, TO_CHANNELS_LAST);
const permuted = (shape: readonly number[], perm: readonly number[]) => perm.map((p) => shape[p]!);

/** Average pooling is a sum over windows that excludes the padding from the count, as ONNX does by default. */
const pool =
  (f: 'avg' | 'max'): Lowering =>
  (build, { x }, attrs) => {
    const { geometry: g, window } = poolGeometry(x!.shape, attrs);
    const images = first(build, x!);
    const size = ([0, 1] as const).map((i) =>
      Math.floor((images.shape[2 + i]! + g.pads[i] + g.pads[i + 2]! - window[i]) / g.strides[i] + 1),
    );
    const shape = [images.shape[0]!, images.shape[1]!, ...size];
    return last(build, build.make('pool', [images], { ...g, f, window }, shape, images.dtype));
  };

/** Convolutions, their gradients, and pooling. */
export const convolution: { readonly [kernel: string]: Lowering } = {
  AvgPool: pool('avg'),
  MaxPool: pool('max'),
  AvgPoolGrad(build, { dy, input }, attrs) {
    const { geometry: g, window } = poolGeometry(input!.shape, attrs);
    if (g.pads.some((p) => p > 0)) {
      throw new CertError(
        'unsupported-kernel',
        'The gradient of a padded average pooling reached a compiled function.',
        'Use tf.pad before an average pooling without padding.',
      );
    }
    // The gradient of a mean over windows is a depthwise transposed convolution with a constant kernel.
    const channels = input!.shape[3]!;
    const weight = build.expand(build.scalar(1 / (window[0] * window[1])), [channels, 1, ...window]);
    const shape = permuted(input!.shape, TO_CHANNELS_FIRST);
    const geometry = { ...g, groups: channels };
    return last(build, build.make('convInputGrad', [first(build, dy!), weight], geometry, shape, dy!.dtype));
  },
  Conv2D: (build, { x, filter }, attrs) =>
    last(
      build,
      build.conv(first(build, x!), build.transpose(filter!, TO_OIHW), convGeometry(x!.shape, filter!.shape, attrs)),
    ),
  Conv2DBackpropInput(build, { dy, filter }, attrs) {
    const inputShape = attrs.inputShape as number[];
    const g = convGeometry(inputShape, filter!.shape, attrs);
    const operands = [first(build, dy!), build.transpose(filter!, TO_OIHW)];
    return last(build, build.make('convInputGrad', operands, g, permuted(inputShape, TO_CHANNELS_FIRST), dy!.dtype));
  },
  Conv2DBackpropFilter(build, { x, dy }, attrs) {
    const filterShape = attrs.filterShape as number[];
    const g = convGeometry(x!.shape, filterShape, attrs);
    const operands = [first(build, x!), first(build, dy!)];
    const grad = build.make('convFilterGrad', operands, g, permuted(filterShape, TO_OIHW), dy!.dtype);
    return build.transpose(grad, TO_HWIO);
  },
};
