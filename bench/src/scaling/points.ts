import { batchNorm, conv2d, dense, globalAvgPool, type Layer, type Model, relu, sequential } from '@cert/core';
import { cnn7 } from '@cert/models';
import type { Workload } from '../workloads.js';

/** What grows from point to point while all else stays. */
export type Series = 'batch' | 'width' | 'depth';

/** One step to be measured. */
export interface Point {
  /** `batch-16` and the like. */
  readonly name: string;
  readonly series: Series;
  /** The size that grows. */
  readonly size: number;
  readonly workload: Workload;
}

const INPUT = { inputShape: [28, 28, 1], classes: 10 } as const;
const BATCH = 32;
const WIDTH = 16;

const cnn = (width: number): Model => cnn7({ ...INPUT, width, dense: 8 * width });

/** Blocks of equal size one behind the other: a 3x3 convolution, BatchNorm, ReLU. Nothing else in the net grows with their number. */
const stack = (depth: number): Model =>
  sequential(INPUT.inputShape, [
    ...Array.from({ length: depth }, (): Layer[] => [conv2d(WIDTH), batchNorm(), relu()]).flat(),
    globalAvgPool(),
    dense(INPUT.classes),
  ]);

const series = (
  name: Series,
  sizes: readonly number[],
  at: (size: number) => Pick<Workload, 'model' | 'batch'>,
): Point[] =>
  sizes.map((size) => ({ name: `${name}-${size}`, series: name, size, workload: { epsilon: 0.4, ...at(size) } }));

/** The three series, each from small to large. */
export const points: readonly Point[] = [
  ...series('batch', [16, 32, 64, 128, 256, 512], (batch) => ({ model: () => cnn(WIDTH), batch })),
  ...series('width', [8, 16, 32, 64, 128], (width) => ({ model: () => cnn(width), batch: BATCH })),
  ...series('depth', [2, 4, 8, 16], (depth) => ({ model: () => stack(depth), batch: BATCH })),
];
