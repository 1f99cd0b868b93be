/** Random LayersModels: the import computes what `predict` computes, its bounds hold, and it is written and read back. */
import { sizeOf } from '@cert/core';
import type * as tfl from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkBounds } from '../../test/check-bounds.js';
import { functional, layers, loaded, on } from '../../test/layers-models.js';
import { fromLayersModel } from './from-layers-model.js';
import { toLayersModel } from './to-layers-model.js';

type Symbolic = tfl.SymbolicTensor;
/** A layer behind another; it needs an image of some size. */
type Build = (x: Symbolic) => Symbolic;

const pair = (least: number, most: number) =>
  fc.tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }));
const padding = fc.constantFrom('same' as const, 'valid' as const);
const activation = fc.constantFrom('linear', 'relu', 'tanh', 'sigmoid', 'relu6' as const) as fc.Arbitrary<'relu'>;
const dataFormat = fc.constantFrom('channelsLast', 'channelsLast', 'channelsFirst' as const);

const layer =
  (build: () => tfl.layers.Layer): Build =>
  (x) =>
    on(build(), x);

const convolution = fc
  .record({
    filters: fc.integer({ min: 1, max: 3 }),
    kernelSize: pair(1, 4),
    padding,
    activation,
    dataFormat,
    useBias: fc.boolean(),
  })
  .chain((options) =>
    // TensorFlow.js has either strides or dilations.
    fc.oneof(
      pair(1, 3).map((strides) => layer(() => layers.conv2d({ ...options, strides }))),
      pair(1, 2).map((dilationRate) => layer(() => layers.conv2d({ ...options, dilationRate }))),
    ),
  );
const depthwise = fc
  .record({ kernelSize: pair(1, 3), padding, activation, depthMultiplier: fc.integer({ min: 1, max: 2 }) })
  .map((options) => layer(() => layers.depthwiseConv2d(options)));
const pooling = fc
  .tuple(fc.boolean(), fc.record({ poolSize: pair(1, 3), strides: pair(1, 2), padding, dataFormat }))
  .map(([max, options]) => layer(() => (max ? layers.maxPooling2d(options) : layers.averagePooling2d(options))));
const zeros = fc.tuple(pair(0, 2), pair(0, 2)).map((ends) => layer(() => layers.zeroPadding2d({ padding: ends })));
const small = fc.oneof(
  fc.double({ min: 0.01, max: 0.9, noNaN: true }).map((alpha) => layer(() => layers.leakyReLU({ alpha }))),
  fc.constantFrom(0.5, 2, 6, 10).map((maxValue) => layer(() => layers.reLU({ maxValue }))),
  fc.constant(layer(() => layers.batchNormalization())),
  fc.constant(layer(() => layers.rescaling({ scale: 0.5, offset: 0.1 }))),
  fc.constantFrom([2, 1, 3], [3, 1, 2], [2, 3, 1]).map((dims) => layer(() => layers.permute({ dims: [...dims] }))),
);
const branches: fc.Arbitrary<Build> = fc
  .tuple(fc.boolean(), fc.integer({ min: 1, max: 3 }), activation)
  .map(([joins, axis, kind]) => (x) => {
    const other = on(layers.activation({ activation: kind }), x);
    return on(joins ? layers.concatenate({ axis }) : layers.add(), [x, other]);
  });

const models = fc.record({
  shape: fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 3 })),
  middle: fc.array(fc.oneof(convolution, depthwise, pooling, zeros, small, branches), { minLength: 1, maxLength: 4 }),
  last: fc.constantFrom('linear', 'softmax' as const) as fc.Arbitrary<'linear'>,
});

it('random models are imported, bounded, written and read back', async () => {
  let built = 0;
  const property = fc.asyncProperty(models, async ({ shape, middle, last }) => {
    let source: tfl.LayersModel;
    try {
      source = functional([...shape], (x) => {
        const end = middle.reduce((value, build) => {
          const next = build(value);
          if (!next.shape.slice(1).every((n) => n! > 0) || sizeOf(next.shape.slice(1) as number[]) > 600) {
            throw new Error('a size that is none');
          }
          return next;
        }, x);
        return on(layers.dense({ units: 2, activation: last }), on(layers.flatten(), end));
      });
    } catch {
      // Windows that do not fit into the image.
      return;
    }
    built++;
    const imported = await fromLayersModel(source);
    checkBounds(imported);
    const { json, weights } = toLayersModel(imported, { softmax: imported.softmaxDropped });
    await fromLayersModel(await loaded(json, weights));
  });
  await fc.assert(property, { numRuns: 60, seed: 1 });
  expect(built).toBeGreaterThan(20);
}, 120_000);
