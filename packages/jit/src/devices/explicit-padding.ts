import { type Shape, type Tensor, type TF, tf } from '@cert/core';

/** Attributes of a convolution and of both its gradients. */
type Attrs = Pick<TF.Conv2DAttrs, 'strides' | 'pad' | 'dimRoundingMode' | 'dataFormat'> &
  Partial<Pick<TF.Conv2DAttrs, 'dilations'> & Pick<TF.Conv2DBackpropInputAttrs, 'inputShape'>> &
  Partial<Pick<TF.Conv2DBackpropFilterAttrs, 'filterShape'>>;

/** Zeros before and after, for each axis of the images. */
type Zeros = [number, number][];

/** Calls a kernel of the current backend. */
const run = (kernel: string, inputs: TF.NamedTensorInfoMap, attrs: object): Tensor =>
  tf.engine().runKernel(kernel, inputs as TF.NamedTensorMap, attrs as TF.NamedAttrMap);

/** A kernel for images with zeros around them, by a call of the same kernel with padding that the package accepts. */
type WithZeros = (inputs: TF.NamedTensorInfoMap, attrs: Attrs, zeros: Zeros) => Tensor;

const KERNELS: { readonly [kernel: string]: WithZeros } = {
  Conv2D: (inputs, attrs, zeros) => run('Conv2D', inputs, { ...attrs, pad: zeros }),

  Conv2DBackpropInput(inputs, attrs, zeros) {
    const inside = attrs.inputShape!;
    const inputShape = inside.map((n, axis) => n + zeros[axis]![0] + zeros[axis]![1]);
    const whole = run('Conv2DBackpropInput', inputs, { ...attrs, pad: 'valid', inputShape });
    const begin = zeros.map(([before]) => before);
    const gradient = tf.slice(whole, begin, inside);
    whole.dispose();
    return gradient;
  },

  Conv2DBackpropFilter(inputs, attrs, zeros) {
    const x = run('PadV2', { x: inputs.x! }, { paddings: zeros, constantValue: 0 });
    const gradient = run('Conv2DBackpropFilter', { ...inputs, x }, { ...attrs, pad: 'valid' });
    x.dispose();
    return gradient;
  },
};

/** The zeros that a call asks for in a form that the package refuses: a number, or in a gradient a list. */
function refusedZeros(kernel: string, { x, filter }: TF.NamedTensorInfoMap, attrs: Attrs): Zeros | undefined {
  const { strides, pad, dimRoundingMode, dilations = 1 } = attrs;
  const layout = tf.backend_util.convertConv2DDataFormat(attrs.dataFormat);
  const images = four(attrs.inputShape ?? x!.shape);
  const weights = four(attrs.filterShape ?? filter!.shape);
  const { padInfo } = tf.backend_util.computeConv2DInfo(
    ...([images, weights, strides, dilations, pad, dimRoundingMode, false, layout] as const),
  );
  if (padInfo.type !== 'NUMBER' && (padInfo.type !== 'EXPLICIT' || kernel === 'Conv2D')) return undefined;
  const inside: Zeros = [[padInfo.top, padInfo.bottom], [padInfo.left, padInfo.right]]; // biome-ignore format: one line a shape
  return layout === 'channelsLast' ? [[0, 0], ...inside, [0, 0]] : [[0, 0], [0, 0], ...inside];
}

const four = ([a, b, c, d]: Shape): [number, number, number, number] => [a!, b!, c!, d!];

/** The kernels that {@link acceptPadding} registered. */
const ours = new WeakSet<TF.KernelFunc>();

/**
 * Lets the convolutions of a backend, and their gradients, take padding in every form of TensorFlow.js. The packages `@tensorflow/tfjs-node`
 * and `@tensorflow/tfjs-node-gpu` 4.22.0 refuse padding by a number ("TF Backend supports only 'valid' and 'same' padding"), and their
 * gradients refuse padding by a list too. What they accept goes to them unchanged. A second call does nothing.
 *
 * @param backendName name of a registered backend
 */
export function acceptPadding(backendName: string): void {
  for (const [kernelName, withZeros] of Object.entries(KERNELS)) {
    const own = tf.getKernel(kernelName, backendName);
    if (own === undefined || ours.has(own.kernelFunc)) continue;
    const kernelFunc: TF.KernelFunc = (call) => {
      const attrs = call.attrs as unknown as Attrs;
      const zeros = refusedZeros(kernelName, call.inputs, attrs);
      return zeros === undefined ? own.kernelFunc(call) : withZeros(call.inputs, attrs, zeros);
    };
    ours.add(kernelFunc);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ ...own, kernelFunc });
  }
}
