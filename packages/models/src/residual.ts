import { add, batchNorm, conv2d, type GraphBuilder, relu } from '@cert/core';

/** A convolution of a residual block. */
export interface BlockConv {
  readonly filters: number;
  readonly kernel: 1 | 3;
  readonly stride?: number;
  readonly groups?: number;
}

/** What goes before the blocks' own layers: the node that feeds them, and whether BatchNorm follows each convolution. */
export interface BlockContext {
  /** The node that feeds the block; of shape [height, width, channels]. */
  readonly input: string;
  readonly normalized: boolean;
}

/** Adds a convolution that keeps the image size (but for its stride) and its BatchNorm; returns the name of the last node. */
function addConv(
  builder: GraphBuilder,
  { filters, kernel, stride = 1, groups = 1 }: BlockConv,
  { input, normalized }: BlockContext,
  names: { readonly conv: string; readonly bn: string },
): string {
  const padding = kernel === 3 ? 1 : 0;
  const conv = builder.add(conv2d(filters, { kernel, stride, padding, groups }), [input], names.conv);
  return normalized ? builder.add(batchNorm(), undefined, names.bn) : conv;
}

/**
 * Adds a residual block: convolutions with BatchNorm and ReLU in between, plus the shortcut, then ReLU. The shortcut is the
 * block's input itself where shapes agree, else a 1x1 convolution with BatchNorm. Without `normalized` there is no BatchNorm.
 * Returns the name of the last ReLU.
 * Nodes: `<name>_conv1`, `<name>_bn1`, `<name>_relu1`, ..., `<name>_shortcut_conv`, `<name>_shortcut_bn`, `<name>_add`.
 */
export function addResidualBlock(
  builder: GraphBuilder,
  name: string,
  { input, normalized }: BlockContext,
  convs: readonly BlockConv[],
): string {
  let main = input;
  for (const [i, conv] of convs.entries()) {
    if (i > 0) main = builder.add(relu(), [main], `${name}_relu${i}`);
    const names = { conv: `${name}_conv${i + 1}`, bn: `${name}_bn${i + 1}` };
    main = addConv(builder, conv, { input: main, normalized }, names);
  }
  const stride = convs.reduce((product, conv) => product * (conv.stride ?? 1), 1);
  const filters = convs.at(-1)!.filters;
  let shortcut = input;
  if (stride !== 1 || builder.shapeOf(input)[2] !== filters) {
    const names = { conv: `${name}_shortcut_conv`, bn: `${name}_shortcut_bn` };
    shortcut = addConv(builder, { filters, kernel: 1, stride }, { input, normalized }, names);
  }
  builder.add(add(), [main, shortcut], `${name}_add`);
  return builder.add(relu(), undefined, `${name}_relu${convs.length}`);
}

/** Adds the first layers of a residual net, `conv1`, `bn1`, `relu1`, to the node added last; returns the ReLU's name. */
export function addStem(builder: GraphBuilder, filters: number, normalized: boolean): string {
  builder.add(conv2d(filters), undefined, 'conv1');
  if (normalized) builder.add(batchNorm(), undefined, 'bn1');
  return builder.add(relu(), undefined, 'relu1');
}
