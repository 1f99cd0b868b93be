import type { Model } from '@cert/core';
import { addHead } from './head.js';
import { type BatchNormPlaces, type ClassifierOptions, checkSize, startGraph } from './options.js';
import { addResidualBlock, addStem } from './residual.js';

/** Options of {@link wideResnet8}. */
export interface WideResnetOptions extends ClassifierOptions {
  /** Output channels of the first convolution. Default 16. */
  readonly stem?: number | undefined;
  /**
   * Output channels of each stage; every stage but the first halves the image. Default [128, 256, 512]; [160, 320, 640] for
   * TinyImageNet.
   */
  readonly widths?: readonly number[] | undefined;
  /** Units of the hidden dense layer. Default 512. */
  readonly dense?: number | undefined;
  /** Placement of BatchNorm. Default `full`. */
  readonly batchNorm?: BatchNormPlaces | undefined;
}

/**
 * Wide-ResNet-8 of the paper: a 3x3 convolution, three stages of one basic block each (two 3x3 convolutions with
 * BatchNorm and a shortcut), a hidden dense layer with BatchNorm, logits.
 * Nodes: `conv1`, `layer1_0_conv1`, `layer1_0_bn1`, ..., `layer1_0_shortcut_conv`, ..., `dense1`, `dense2`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers, `bad-model` for an input that is not an image
 */
export function wideResnet8(options: WideResnetOptions): Model {
  const { classes, stem = 16, widths = [128, 256, 512], dense = 512, batchNorm = 'full' } = options;
  checkSize('stem', stem);
  checkSize('dense', dense);
  const normalized = batchNorm !== 'none';
  const builder = startGraph(options);
  let block = addStem(builder, stem, normalized);
  for (const [i, filters] of widths.entries()) {
    checkSize(`widths[${i}]`, filters);
    block = addResidualBlock(builder, `layer${i + 1}_0`, { input: block, normalized }, [
      { filters, kernel: 3, stride: i === 0 ? 1 : 2 },
      { filters, kernel: 3 },
    ]);
  }
  addHead(builder, { hidden: dense, classes, batchNorm: batchNorm === 'full' });
  return builder.build();
}
