import {
  add,
  affine,
  avgPool,
  batchNorm,
  buildParams,
  conv2d,
  createRng,
  type GraphBuilder,
  graph,
  initialStats,
  linfBall,
  type Model,
  maxPool,
  paramSpecs,
  relu,
  type Shape,
  sigmoid,
  sizeOf,
  type Tensor,
  tf,
  toTensors,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { boundNeurons, ibp, linearRelaxation, linesOf, lowerBound, neuronsOf, runningNorm, unitRows } from './index.js';

const random = (rng: ReturnType<typeof createRng>, shape: Shape, scale = 1) =>
  tf.tensor(
    Array.from({ length: sizeOf(shape) }, () => scale * rng.normal()),
    [...shape],
  );

/** A model that ends in the node added last. */
const model = (inputShape: Shape, build: (g: GraphBuilder) => void): Model => {
  const builder = graph(inputShape);
  build(builder);
  builder.add({ op: 'globalAvgPool', attrs: {}, infer: ([, , c]) => ({ shape: [c!], params: {}, stats: {} }) });
  return builder.build();
};

const models: { readonly [name: string]: Model } = {
  'convolutions with batch normalization': model([13, 12, 2], (g) => {
    for (const stride of [1, 2, 1]) {
      g.add(conv2d(3, { stride }));
      g.add(batchNorm());
      g.add(relu());
    }
  }),
  'padding behind a linear op': model([12, 12, 1], (g) => {
    g.add(affine([2], [-0.7]));
    g.add(conv2d(2, { padding: 2 }));
    g.add(batchNorm());
    g.add(conv2d(3, { kernel: 5, padding: 2 }));
    g.add(relu());
    g.add(conv2d(2));
    g.add(relu());
  }),
  'padding behind a sigmoid': model([14, 14, 1], (g) => {
    for (let i = 0; i < 3; i++) {
      g.add(conv2d(2));
      g.add(sigmoid());
    }
  }),
  'uneven windows': model([17, 15, 2], (g) => {
    g.add(conv2d(2, { kernel: [2, 3], stride: [1, 2], padding: [1, 0, 0, 2] }));
    g.add(relu());
    g.add(conv2d(2, { kernel: [3, 2], padding: 1, dilation: [2, 1] }));
    g.add(relu());
    g.add(conv2d(2, { kernel: 1, padding: 0, groups: 2 }));
    g.add(relu());
  }),
  pooling: model([16, 16, 2], (g) => {
    g.add(conv2d(3));
    g.add(relu());
    g.add(avgPool(2));
    g.add(avgPool(3, { stride: 1, padding: 1, countPadding: true }));
    g.add(conv2d(2));
    g.add(relu());
  }),
  'residual blocks': model([20, 20, 2], (g) => {
    const stem = g.add(relu(), [g.add(conv2d(3))]);
    const first = g.add(relu(), [g.add(conv2d(3), [stem])]);
    const sum = g.add(relu(), [g.add(add(), [g.add(conv2d(3), [first]), stem])]);
    const main = g.add(conv2d(2), [g.add(relu(), [g.add(conv2d(4, { stride: 2 }), [sum])])]);
    const shortcut = g.add(batchNorm(), [g.add(conv2d(2, { kernel: 1, padding: 0, stride: 2 }), [sum])]);
    g.add(relu(), [g.add(add(), [main, shortcut])]);
  }),
};

/** A network with random weights, a box around two images, and bounds of all nodes. */
function problemOf(net: Model) {
  const rng = createRng(sizeOf(net.inputShape), 'neurons');
  const params = buildParams(paramSpecs(net), ({ shape }) => random(rng, shape, 0.5));
  const network = { model: net, params, norm: runningNorm(toTensors(initialStats(net))) };
  const box = linfBall(random(rng, [2, ...net.inputShape], 0.5), 0.05, null);
  const { at } = ibp.bound({ network, box });
  return { network, box, at, lines: linesOf(linearRelaxation, network, at) };
}

const values = (x: Tensor) => Array.from(x.dataSync<'float32'>());

describe('neurons in their receptive fields', () => {
  it.each(Object.entries(models))('have the bounds of the whole network: %s', (_name, net) => {
    const setting = problemOf(net);
    const nodes = net.nodes.filter(({ name }) =>
      net.nodes.some(({ op, inputs }) => /relu|sigmoid/.test(op) && inputs[0] === name),
    );
    const local = nodes.filter(({ name }) => neuronsOf(linearRelaxation, net, name).places > 1);
    expect(local.length).toBeGreaterThanOrEqual(2);
    const rng = createRng(7, 'places');
    for (const { name, shape } of local) {
      const neurons = neuronsOf(linearRelaxation, net, name);
      const [height, width, channels] = shape as [number, number, number];
      // Corners, and places anywhere.
      const chosen = [0, (width - 1) * channels, (height - 1) * width * channels, sizeOf(shape) - 1];
      for (let i = 0; i < 8; i++) chosen.push(rng.int(sizeOf(shape)));
      const places = [0, 1].flatMap((image) =>
        chosen.map((neuron) => {
          const place = Math.floor(neuron / channels);
          return [image, Math.floor(place / width), place % width];
        }),
      );
      const here = neurons.at(setting, tf.tensor2d(places, [places.length, 3], 'int32'));
      const each = tf.tensor1d(
        [...chosen, ...chosen].map((neuron) => neuron % channels),
        'int32',
      );
      const both = boundNeurons(linearRelaxation, here, neurons, each, 1);
      const rows = unitRows(tf.tensor1d(chosen, 'int32'), shape);
      const sides = [rows, tf.neg(rows)].map((coefficients) =>
        lowerBound(linearRelaxation, setting, name, { coefficients, count: chosen.length }),
      );
      [0, 1].forEach((side) => {
        const expected = values(sides[side]!);
        values(tf.slice(both, [0, side], [places.length, 1])).forEach((bound, i) => {
          expect(Math.abs(bound - expected[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(expected[i]!)));
        });
      });
    }
  });

  it('are single neurons of chosen places, the same for all or others for each', () => {
    const net = models['convolutions with batch normalization']!;
    const setting = problemOf(net);
    const neurons = neuronsOf(linearRelaxation, net, 'batchNorm2');
    const places = tf.tensor2d([[1, 0, 5], [0, 6, 2]], [2, 3], 'int32'); // biome-ignore format: a row a place
    const here = neurons.at(setting, places);
    const whole = neuronsOf(linearRelaxation, net, 'batchNorm3');
    expect(neurons.perPlace).toBe(3);
    const each = boundNeurons(linearRelaxation, here, neurons, tf.tensor1d([2, 0, 1, 1], 'int32'), 2);
    const all = boundNeurons(linearRelaxation, here, neurons, tf.tensor1d([0, 1, 2], 'int32'), 3);
    const [a, b] = [values(each), values(all)];
    // Lower bounds of the neurons, then of their negatives.
    expect(a).toEqual([b[2]!, b[0]!, b[5]!, b[3]!, b[7]!, b[7]!, b[10]!, b[10]!].map((x) => expect.closeTo(x, 5)));
    expect(whole.places).toBeGreaterThan(0);
  });

  it('are the whole network where something else than windows lies in between', () => {
    const pooled = model([16, 16, 2], (g) => {
      g.add(conv2d(3));
      g.add(maxPool(2));
      g.add(conv2d(2));
      g.add(relu());
    });
    expect(neuronsOf(linearRelaxation, pooled, 'conv2d2').places).toBe(1);
    const shifted = model([12, 12, 1], (g) => {
      g.add(affine(Array(144).fill(1), Array(144).fill(0.5)));
      g.add(conv2d(2));
      g.add(relu());
    });
    expect(neuronsOf(linearRelaxation, shifted, 'conv2d1').places).toBe(1);
    // The window of the last convolution is most of the image.
    const small = model([5, 5, 1], (g) => {
      g.add(conv2d(2));
      g.add(relu());
      g.add(conv2d(2, { kernel: 5, padding: 2 }));
      g.add(relu());
    });
    expect(neuronsOf(linearRelaxation, small, 'conv2d2').places).toBe(1);
  });
});
