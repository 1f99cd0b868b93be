import { CertError, type Shape, type TF, tf } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Geometry, Value } from '../graph/ir.js';
import type { Kernel, Lowering, Lowerings } from './lowering.js';

/** Convolutions, their gradients, and pooling. */
export interface ConvolutionKernels {
  readonly AvgPool: Kernel<TF.AvgPoolInputs, TF.AvgPoolAttrs>;
  readonly MaxPool: Kernel<TF.MaxPoolInputs, TF.MaxPoolAttrs>;
  readonly AvgPoolGrad: Kernel<TF.AvgPoolGradInputs, TF.AvgPoolGradAttrs>;
  readonly Conv2D: Kernel<TF.Conv2DInputs, TF.Conv2DAttrs>;
  readonly Conv2DBackpropInput: Kernel<TF.Conv2DBackpropInputInputs, TF.Conv2DBackpropInputAttrs>;
  readonly Conv2DBackpropFilter: Kernel<TF.Conv2DBackpropFilterInputs, TF.Conv2DBackpropFilterAttrs>;
}

/** [N,H,W,C] to [N,C,H,W] and back, [h,w,C,F] to [F,C,h,w] and back. */
const TO_CHANNELS_FIRST = [0, 3, 1, 2];
const TO_CHANNELS_LAST = [0, 2, 3, 1];
const TO_OIHW = [3, 2, 0, 1];
const TO_HWIO = [2, 3, 1, 0];

/** What the geometry of a convolution or of its gradients depends on, besides shapes. */
type WindowAttrs = Pick<TF.Conv2DAttrs, 'strides' | 'pad' | 'dimRoundingMode' | 'dataFormat'> &
  Partial<Pick<TF.Conv2DAttrs, 'dilations'>>;

const four = ([a, b, c, d]: Shape): [number, number, number, number] => [a!, b!, c!, d!];

/** Whatever TensorFlow.js accepts for padding, as four numbers. */
function convGeometry(x: Shape, filter: Shape, attrs: WindowAttrs): Geometry {
  const { strides, dilations = 1, pad, dimRoundingMode } = attrs;
  const info = tf.backend_util.computeConv2DInfo(four(x), four(filter), strides, dilations, pad, dimRoundingMode);
  channelsLast(attrs);
  return geometry(info, 1);
}

function poolGeometry(
  x: Shape,
  { filterSize, strides, pad, dimRoundingMode }: TF.AvgPoolAttrs,
): { geometry: Geometry; window: [number, number] } {
  const info = tf.backend_util.computePool2DInfo(four(x), filterSize, strides, 1, pad, dimRoundingMode);
  return { geometry: geometry(info, 1), window: [info.filterHeight, info.filterWidth] };
}

const geometry = (info: TF.backend_util.Conv2DInfo, groups: number): Geometry => ({
  strides: [info.strideHeight, info.strideWidth],
  pads: [info.padInfo.top, info.padInfo.left, info.padInfo.bottom, info.padInfo.right],
  dilations: [info.dilationHeight, info.dilationWidth],
  groups,
});

function channelsLast({ dataFormat }: { readonly dataFormat?: string }): void {
  if (dataFormat === undefined || dataFormat === 'NHWC' || dataFormat === 'channelsLast') return;
  throw new CertError(
    'unsupported-kernel',
    `A convolution with the data format ${dataFormat} reached a compiled function.`,
    'Use NHWC: the compiler chooses the memory layout.',
  );
}

const first = (build: Builder, x: Value) => build.transpose(x, TO_CHANNELS_FIRST);
const last = (build: Builder, x: Value) => build.transpose(x, TO_CHANNELS_LAST);
const permuted = (shape: readonly number[], perm: readonly number[]) => perm.map((p) => shape[p]!);

/** Average pooling is a sum over windows that excludes the padding from the count, as ONNX does by default. */
const pool =
  (f: 'avg' | 'max'): Lowering<Kernel<TF.AvgPoolInputs, TF.AvgPoolAttrs>> =>
  (build, { x }, attrs) => {
    const { geometry: g, window } = poolGeometry(x.shape, attrs);
    const images = first(build, x);
    const size = ([0, 1] as const).map((i) =>
      Math.floor((images.shape[2 + i]! + g.pads[i] + g.pads[i + 2]! - window[i]) / g.strides[i] + 1),
    );
    const shape = [images.shape[0]!, images.shape[1]!, ...size];
    return last(build, build.make('pool', [images], { ...g, f, window }, shape, images.dtype));
  };

/** Convolutions, their gradients, and pooling. */
export const convolution: Lowerings<ConvolutionKernels> = {
  AvgPool: pool('avg'),
  MaxPool: pool('max'),
  AvgPoolGrad(build, { dy, input }, attrs) {
    const { geometry: g, window } = poolGeometry(input.shape, attrs);
    if (g.pads.some((p) => p > 0)) {
      throw new CertError(
        'unsupported-kernel',
        'The gradient of a padded average pooling reached a compiled function.',
        'Use tf.pad before average pooling without padding.',
      );
    }
    // The gradient of a mean over windows is a depthwise transposed convolution with a constant kernel.
    const channels = input.shape[3]!;
    const weight = build.expand(build.scalar(1 / (window[0] * window[1])), [channels, 1, ...window]);
    const shape = permuted(input.shape, TO_CHANNELS_FIRST);
    const geometry = { ...g, groups: channels };
    return last(build, build.make('convInputGrad', [first(build, dy), weight], geometry, shape, dy.dtype));
  },
  Conv2D: (build, { x, filter }, attrs) =>
    last(
      build,
      build.conv(first(build, x), build.transpose(filter, TO_OIHW), convGeometry(x.shape, filter.shape, attrs)),
    ),
  Conv2DBackpropInput(build, { dy, filter }, attrs) {
    const { inputShape } = attrs;
    const g = convGeometry(inputShape, filter.shape, attrs);
    const operands = [first(build, dy), build.transpose(filter, TO_OIHW)];
    return last(build, build.make('convInputGrad', operands, g, permuted(inputShape, TO_CHANNELS_FIRST), dy.dtype));
  },
  Conv2DBackpropFilter(build, { x, dy }, attrs) {
    const { filterShape } = attrs;
    const g = convGeometry(x.shape, filterShape, attrs);
    const operands = [first(build, x), first(build, dy)];
    const grad = build.make('convFilterGrad', operands, g, permuted(filterShape, TO_OIHW), dy.dtype);
    return build.transpose(grad, TO_HWIO);
  },
};
