import type { Model } from '@cert/core';
import { addHead } from './head.js';
import { type ClassifierOptions, checkSize, startGraph } from './options.js';
import { addResidualBlock, addStem } from './residual.js';

/** Output channels of a block over those of its grouped convolution. */
const EXPANSION = 2;

/** Options of {@link resnext}. */
export interface ResnextOptions extends ClassifierOptions {
  /** Groups of the 3x3 convolutions. Default 2. */
  readonly cardinality?: number | undefined;
  /** Channels of each group in the first stage; they double from stage to stage. Default 32. */
  readonly bottleneck?: number | undefined;
  /** Output channels of the first convolution. Default 64. */
  readonly stem?: number | undefined;
  /** Number of stages of one block each; every stage but the first halves the image. Default 3. */
  readonly stages?: number | undefined;
  /** Units of the hidden dense layer. Default 512. */
  readonly dense?: number | undefined;
}

/**
 * ResNeXt; with the default options the small one (2 groups of 32) of the paper's experiments: a 3x3 convolution, stages of one
 * block each (1x1, grouped 3x3 that carries the stride, 1x1, with BatchNorm and a shortcut), a hidden dense layer with
 * BatchNorm, logits. Nodes: `conv1`, `layer1_0_conv1`, ..., `layer1_0_shortcut_conv`, ..., `dense1`, `dense2`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers
 */
export function resnext(options: ResnextOptions): Model {
  const { classes, cardinality = 2, bottleneck = 32, stem = 64, stages = 3, dense = 512 } = options;
  for (const [name, value] of Object.entries({ cardinality, bottleneck, stem, stages, dense })) checkSize(name, value);
  const builder = startGraph(options);
  let block = addStem(builder, stem);
  for (let i = 0; i < stages; i++) {
    const width = cardinality * bottleneck * 2 ** i;
    block = addResidualBlock(builder, `layer${i + 1}_0`, block, [
      { filters: width, kernel: 1 },
      { filters: width, kernel: 3, stride: i === 0 ? 1 : 2, groups: cardinality },
      { filters: EXPANSION * width, kernel: 1 },
    ]);
  }
  addHead(builder, { hidden: dense, classes, batchNorm: true });
  return builder.build();
}
