import type { Model } from '@cert/core';
import { addHead } from './head.js';
import { type BatchNormPlaces, type ClassifierOptions, checkSize, startGraph } from './options.js';
import { addResidualBlock, addStem } from './residual.js';

/** Output channels of a block over those of its grouped convolution. */
const EXPANSION = 2;

/** Options of {@link resnext}. */
export interface ResnextOptions extends ClassifierOptions {
  /** Number of groups of the 3x3 convolutions. Default 2. */
  readonly cardinality?: number | undefined;
  /** Channels of each group in the first stage, doubled in each later stage. Default 32. */
  readonly bottleneck?: number | undefined;
  /** Output channels of the first convolution. Default 64. */
  readonly stem?: number | undefined;
  /** Number of stages; every stage but the first halves the image. Default 3. */
  readonly stages?: number | undefined;
  /** Blocks in each stage; the first one carries the stride. Default 1. */
  readonly blocks?: number | undefined;
  /** Units of the hidden dense layer. Default 512. */
  readonly dense?: number | undefined;
  /** Placement of BatchNorm. Default `full`. */
  readonly batchNorm?: BatchNormPlaces | undefined;
}

/**
 * ResNeXt; the defaults give the small network (2 groups of 32) of the paper: a 3x3 convolution, stages of
 * blocks (1x1, grouped 3x3 that carries the stride, 1x1, with BatchNorm and a shortcut), a hidden dense layer with BatchNorm,
 * logits. The paper's TinyImageNet form has `stem: 16, bottleneck: 8, blocks: 2`.
 * Nodes: `conv1`, `layer1_0_conv1`, ..., `layer1_0_shortcut_conv`, ..., `layer1_1_conv1`, ..., `dense1`, `dense2`.
 *
 * @throws CertError `bad-argument` for sizes that are not positive whole numbers, `bad-model` for an input that is not an image
 */
export function resnext(options: ResnextOptions): Model {
  const { classes, cardinality = 2, bottleneck = 32, stem = 64, stages = 3, blocks = 1, dense = 512 } = options;
  const { batchNorm = 'full' } = options;
  const sizes = { cardinality, bottleneck, stem, stages, blocks, dense };
  for (const [name, value] of Object.entries(sizes)) checkSize(name, value);
  const normalized = batchNorm !== 'none';
  const builder = startGraph(options);
  let input = addStem(builder, stem, normalized);
  for (let stage = 0; stage < stages; stage++) {
    const width = cardinality * bottleneck * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      input = addResidualBlock(builder, `layer${stage + 1}_${block}`, { input, normalized }, [
        { filters: width, kernel: 1 },
        { filters: width, kernel: 3, stride: stage > 0 && block === 0 ? 2 : 1, groups: cardinality },
        { filters: EXPANSION * width, kernel: 1 },
      ]);
    }
  }
  addHead(builder, { hidden: dense, classes, batchNorm: batchNorm === 'full' });
  return builder.build();
}
