import { batchNorm, conv2d, type GraphBuilder, relu } from '@cert/core';

/** One 3x3 convolution with padding 1. */
export interface ConvStage {
  readonly filters: number;
  readonly stride: number;
}

/** Adds `conv1`, `bn1` (when asked for), `relu1`, `conv2`, ... one after the other. */
export function addConvStack(builder: GraphBuilder, stages: readonly ConvStage[], normalized: boolean): void {
  for (const [i, { filters, stride }] of stages.entries()) {
    builder.add(conv2d(filters, { stride }), undefined, `conv${i + 1}`);
    if (normalized) builder.add(batchNorm(), undefined, `bn${i + 1}`);
    builder.add(relu(), undefined, `relu${i + 1}`);
  }
}
