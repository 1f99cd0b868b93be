import { naturalPass, runningNorm } from '@cert/bounds';
import {
  add,
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  graph,
  type HostParams,
  INPUT,
  initialStats,
  type Layer,
  leakyRelu,
  type Model,
  maxPool,
  type Property,
  paramSpecs,
  relu,
  sequential,
  sigmoid,
  sizeOf,
  softmax,
  tf,
  toTensors,
} from '@cert/core';
import type { Device } from '@cert/jit';
import { cpuDevice } from '@cert/jit/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDecider, type DecideOptions, type DeciderOptions, type Decision } from './decide.js';
import type { HostNetwork } from './host-network.js';

let device: Device;
beforeAll(async () => {
  device = await cpuDevice({ threads: 1 });
});
afterAll(() => device.dispose());

/** Random weights whose size keeps about half of the ReLUs active. */
function drawn(model: Model, seed: number): HostNetwork {
  const rng = createRng(seed, 'weights');
  const params: { [node: string]: { [name: string]: HostParams[string][string] } } = {};
  for (const { node, name, shape } of paramSpecs(model)) {
    const fanIn = Math.max(1, sizeOf(shape.slice(0, -1)));
    const scale = name === 'kernel' ? Math.sqrt(2 / fanIn) : 0.3;
    const data = Float32Array.from({ length: sizeOf(shape) }, () => scale * rng.normal() + (name === 'gamma' ? 1 : 0));
    params[node] = { ...params[node], [name]: { shape, data } };
  }
  return { model, params, stats: initialStats(model) };
}

const zeros = (size: number) => ({ shape: [size], data: new Float32Array(size) });

async function decided(
  network: HostNetwork,
  property: Property,
  {
    timeout = 60,
    arithmetic,
    ...options
  }: Partial<DeciderOptions> & Pick<DecideOptions, 'timeout' | 'arithmetic'> = {},
): Promise<Decision> {
  const decider = createDecider({ device, network, ...options });
  try {
    return await decider.decide(property, { timeout, ...(arithmetic && { arithmetic }) });
  } finally {
    await decider.dispose();
  }
}

/** That output 0 minus output 1 is at most `bound` somewhere in [0, width]^n: the violation. */
function below({ inputShape, classes }: Model, bound: number, width = 1): Property {
  const inputs = sizeOf(inputShape);
  const coefficients = new Float64Array(classes);
  coefficients[0] = 1;
  coefficients[1] = -1;
  const [lower, upper] = [new Float64Array(inputs), new Float64Array(inputs).fill(width)];
  return { inputs, outputs: classes, cases: [{ lower, upper, outputs: [{ coefficients, bound }] }] };
}

/** The outputs of a network at points, row-major. */
function outputsAt({ model, params, stats }: HostNetwork, points: Float32Array): Float32Array {
  return tf.tidy(() => {
    const own = toTensors(params);
    const norm = runningNorm(toTensors(stats));
    const x = tf.tensor(points, [points.length / sizeOf(model.inputShape), ...model.inputShape]);
    return Float32Array.from(naturalPass({ model, params: own, norm }, x).output.dataSync());
  });
}

/** The smallest output 0 minus output 1 over a grid of [0, 1]^n. */
function leastOnGrid(network: HostNetwork, steps: number): number {
  const inputs = sizeOf(network.model.inputShape);
  const count = (steps + 1) ** inputs;
  const points = Float32Array.from({ length: count * inputs }, (_, k) => {
    const [point, i] = [Math.floor(k / inputs), k % inputs];
    return (Math.floor(point / (steps + 1) ** i) % (steps + 1)) / steps;
  });
  const outputs = outputsAt(network, points);
  const { classes } = network.model;
  let least = Number.POSITIVE_INFINITY;
  for (let p = 0; p < count; p++) least = Math.min(least, outputs[p * classes]! - outputs[p * classes + 1]!);
  return least;
}

const MLP = sequential([2], [dense(10), relu(), dense(10), relu(), dense(3)]);

const residual = (): Model => {
  const builder = graph([2]);
  const first = builder.add(relu(), [builder.add(dense(8), [INPUT])]);
  const inner = builder.add(dense(8), [builder.add(relu(), [builder.add(dense(8), [first])])]);
  builder.add(relu(), [builder.add(add(), [first, inner])]);
  builder.add(dense(2));
  return builder.build();
};

const MODELS: { readonly [name: string]: Model } = {
  mlp: MLP,
  'with batch normalization': sequential([2], [dense(8), batchNorm(), relu(), dense(2)]),
  'a residual sum': residual(),
  'a bottleneck': sequential([2], [dense(8), relu(), dense(3), relu(), dense(8), relu(), dense(2)]),
  'leaky ReLU': sequential([2], [dense(8), leakyRelu(0.2), dense(6), leakyRelu(0.01), dense(2)]),
  'a maximum': sequential([2, 1, 1], [
    conv2d(4, { kernel: [1, 1], padding: 0 }),
    maxPool([2, 1]),
    flatten(),
    dense(6),
    relu(),
    dense(2),
  ] as Layer[]),
};

describe.each(Object.entries(MODELS))('a network: %s', (_name, model) => {
  it.each(['inputs', 'relus'] as const)('is decided on both sides of its minimum by splitting %s', async (split) => {
    for (const seed of [1, 2]) {
      const network = drawn(model, seed);
      const least = leastOnGrid(network, 200);
      const slack = 0.02 * (1 + Math.abs(least));
      const proved = await decided(network, below(model, least - slack), { split });
      expect(proved.verdict).toBe('verified');
      const refuted = await decided(network, below(model, least + slack), { split, attack: null });
      expect(refuted.verdict).toBe('falsified');
      if (refuted.verdict !== 'falsified') continue;
      const { input, output } = refuted.witness;
      expect(input.every((x) => x >= 0 && x <= 1)).toBe(true);
      const [a, b] = outputsAt(network, input);
      expect(a! - b!).toBeLessThanOrEqual(least + slack + 1e-5);
      expect(output[0]).toBeCloseTo(a!, 4);
    }
  });

  it('is never decided wrongly where bounds are refined', async () => {
    const network = drawn(model, 3);
    const least = leastOnGrid(network, 200);
    // The first trial of a search ends before functions are compiled.
    for (const slack of [-0.01, 0.01]) {
      const { verdict } = await decided(network, below(model, least + slack), {
        split: 'relus',
        attack: null,
        timeout: 3,
      });
      expect(verdict).not.toBe(slack < 0 ? 'falsified' : 'verified');
    }
  });
});

describe('a decision', () => {
  const network = drawn(MLP, 5);
  const least = leastOnGrid(network, 200);

  it('over cases that are excluded by different rows at different points needs each of them', async () => {
    // Output 0 - output 1 is at most the bound, and output 1 - output 0 at most minus the same bound less a little: both at once is impossible.
    const one = below(MLP, least + 0.5).cases[0]!;
    const flipped = { coefficients: one.outputs[0]!.coefficients.map((c) => -c), bound: -(least + 0.55) };
    const property = {
      ...below(MLP, 0),
      cases: [{ ...one, outputs: [...one.outputs, flipped] }],
    };
    expect((await decided(network, property)).verdict).toBe('verified');
    const touching = { ...flipped, bound: -(least + 0.45) };
    const possible = { ...property, cases: [{ ...one, outputs: [...one.outputs, touching] }] };
    expect((await decided(network, possible)).verdict).toBe('falsified');
  });

  it('by splits of the inputs holds at the level that is asked for', async () => {
    const property = below(MLP, least - 0.05);
    for (const arithmetic of ['nearest', 'real', 'deployed'] as const) {
      const decision = await decided(network, property, { split: 'inputs', arithmetic });
      expect(decision).toMatchObject({ verdict: 'verified', arithmetic });
    }
  });

  it('by splits of the inputs accounts for rounding in networks that splits of ReLUs change', async () => {
    for (const name of ['leaky ReLU', 'a maximum']) {
      const other = drawn(MODELS[name]!, 2);
      const minimum = leastOnGrid(other, 200);
      const property = below(MODELS[name]!, minimum - 0.1 * (1 + Math.abs(minimum)));
      const decision = await decided(other, property, { split: 'inputs' });
      expect(decision).toMatchObject({ verdict: 'verified', arithmetic: 'deployed' });
    }
  });

  it('by splits of the inputs stays at nearest where rounding decides', async () => {
    // 2 relu(z) - relu(2 z) is 0, and not known to be above -1e-12 in float32.
    const model = sequential([2], [dense(2), relu(), dense(1)]);
    const params = {
      dense1: { kernel: { shape: [2, 2], data: Float32Array.of(1, 2, -1, -2) }, bias: zeros(2) },
      dense2: { kernel: { shape: [2, 1], data: Float32Array.of(2, -1) }, bias: zeros(1) },
    };
    const [lower, upper] = [Float64Array.of(1, -3), Float64Array.of(3, -1)];
    const outputs = [{ coefficients: Float64Array.of(1), bound: -1e-12 }];
    const property = { inputs: 2, outputs: 1, cases: [{ lower, upper, outputs }] };
    const decision = await decided({ model, params, stats: {} }, property, { split: 'inputs', timeout: 10 });
    if (decision.verdict === 'verified') expect(decision.arithmetic).not.toBe('deployed');
    else expect(decision.verdict).toBe('unknown');
  });

  it('over no case at all holds, whatever the network is', async () => {
    expect((await decided(network, { ...below(MLP, 0), cases: [] })).verdict).toBe('verified');
  });

  it('for a case without inequalities is a witness: any input violates', async () => {
    const property = below(MLP, 0);
    const all = { ...property, cases: property.cases.map((one) => ({ ...one, outputs: [] })) };
    expect((await decided(network, all)).verdict).toBe('falsified');
  });

  it('is never reached for weights that are not finite', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const kernel = network.params.dense2!.kernel!;
      const data = Float32Array.from(kernel.data);
      data[3] = value;
      const broken = {
        ...network,
        params: { ...network.params, dense2: { ...network.params.dense2!, kernel: { ...kernel, data } } },
      };
      for (const split of ['inputs', 'relus'] as const) {
        expect(await decided(broken, below(MLP, -1e30), { split })).toMatchObject({
          verdict: 'unknown',
          reason: 'not finite',
        });
      }
    }
  });

  it('is never reached where bounds overflow', async () => {
    const huge = { ...network, params: { ...network.params } };
    for (const [node, own] of Object.entries(network.params)) {
      huge.params = {
        ...huge.params,
        [node]: { ...own, kernel: { ...own.kernel!, data: own.kernel!.data.map((w) => w * 1e20) as Float32Array } },
      };
    }
    for (const split of ['inputs', 'relus'] as const) {
      expect(await decided(huge, below(MLP, -3e38), { split })).toMatchObject({
        verdict: 'unknown',
        reason: 'not finite',
      });
    }
  });

  it('without time is unknown', async () => {
    expect(await decided(network, below(MLP, least - 0.1), { timeout: 0 })).toMatchObject({
      verdict: 'unknown',
      reason: 'timeout',
    });
    const late = await decided(network, below(MLP, least - 1e-4), { timeout: 1e-3, attack: null, split: 'relus' });
    expect(late).toMatchObject({ verdict: 'unknown', reason: 'timeout' });
  });

  it('of a witness counts only where the independent runtime agrees', async () => {
    const denied = await decided(network, below(MLP, least + 0.1), {
      replay: async () => [1e9, 0, 0],
      timeout: 5,
    });
    expect(denied.verdict).not.toBe('falsified');
    expect(denied.verdict).not.toBe('verified');
  });

  it('stays open for a nonlinear op that cannot be split on', async () => {
    const model = sequential([2], [dense(6), sigmoid(), dense(2)]);
    const soft = drawn(model, 3);
    const minimum = leastOnGrid(soft, 200);
    expect((await decided(soft, below(model, minimum - 1), { split: 'relus' })).verdict).toBe('verified');
    const tight = await decided(soft, below(model, minimum - 1e-3), { split: 'relus', timeout: 10 });
    expect(tight.verdict).toBe('unknown');
    expect((await decided(soft, below(model, minimum - 0.02), { split: 'inputs' })).verdict).toBe('verified');
  });

  it.each<[string, Model]>([
    ['a ReLU of the inputs', sequential([2], [relu(), dense(6), relu(), dense(2)])],
    [
      'a maximum over padded windows',
      sequential([2, 1, 1], [
        conv2d(3, { kernel: [1, 1], padding: 0 }),
        maxPool([3, 1], { stride: 1, padding: [1, 1, 0, 0] }),
        relu(),
        flatten(),
        dense(2),
      ] as Layer[]),
    ],
  ])('stays open where splits of ReLUs leave something nonlinear: %s', async (_name, model) => {
    const net = drawn(model, 2);
    const property = below(model, 0);
    const [one] = property.cases;
    const wide = (bound: number): Property => ({
      ...property,
      cases: [{ ...one!, lower: new Float64Array([-1, -1]), outputs: [{ ...one!.outputs[0]!, bound }] }],
    });
    const points = Float32Array.from({ length: 2 * 101 ** 2 }, (_, k) =>
      k % 2 === 0 ? (Math.floor(k / 2) % 101) / 50 - 1 : Math.floor(k / 202) / 50 - 1,
    );
    const outputs = outputsAt(net, points);
    const margins = outputs.filter((_, k) => k % 2 === 0).map((a, k) => a - outputs[2 * k + 1]!);
    const minimum = Math.min(...margins);
    const tight = await decided(net, wide(minimum - 1e-4), { split: 'relus', timeout: 1 });
    expect(tight.verdict).not.toBe('falsified');
    expect((await decided(net, wide(minimum - 20), { split: 'relus' })).verdict).toBe('verified');
  });

  it('about the order of the outputs of a softmax is that about its inputs; about their values it is refused', async () => {
    const model = sequential([2], [dense(8), relu(), dense(3), softmax()]);
    const net = drawn(model, 4);
    const order = await decided(net, below(model, 0));
    expect(order.verdict).toBe(leastOnGrid(net, 100) > 0 ? 'verified' : 'falsified');
    await expect(decided(net, below(model, 0.5))).rejects.toThrow('ends in a softmax');
  });

  it('is about a property of the network', async () => {
    const wrong = sequential([3], [dense(2)]);
    await expect(decided(network, below(wrong, 0))).rejects.toThrow(
      '3 inputs and 2 outputs, but the network has 2 inputs and 3 outputs',
    );
    const empty = below(MLP, 0);
    const [one] = empty.cases;
    const inverted = { ...empty, cases: [{ ...one!, lower: new Float64Array([2, 0]) }] };
    await expect(decided(network, inverted)).rejects.toThrow('Input 0 of the property lies between 2 and 1');
    const endless = { ...empty, cases: [{ ...one!, upper: new Float64Array([1, Number.POSITIVE_INFINITY]) }] };
    await expect(decided(network, endless)).rejects.toThrow('Input 1 of the property lies between 0 and Infinity');
    await expect(decided(network, empty, { timeout: Number.NaN })).rejects.toThrow('The timeout is NaN');
    const longer = {
      ...empty,
      cases: [{ ...one!, outputs: [{ coefficients: Float64Array.of(0, 1, 0, -100), bound: 0.5 }] }],
    };
    await expect(decided(network, longer)).rejects.toThrow('An inequality has 4 coefficients, but the property has 3');
    const narrow = { ...empty, cases: [{ ...one!, lower: new Float64Array(0), upper: new Float64Array(0) }] };
    await expect(decided(network, narrow)).rejects.toThrow('A case has 0 lower and 0 upper ends');
  });

  it.each([-1e6, -1e-30, Number.NaN, Number.POSITIVE_INFINITY])('is none for the least bound %f', async (lowest) => {
    const decider = createDecider({ device, network, attack: null, split: 'relus' });
    const violated = decider.decide(below(MLP, least + 1), { least: lowest });
    await expect(violated).rejects.toMatchObject({ code: 'bad-argument', problem: `least is ${lowest}.` });
    await decider.dispose();
  });

  it.each(['inputs', 'relus'] as const)(
    'proves nothing where widths of bounds overflow, split on %s',
    async (split) => {
      // The output is |x - y|. Both ends of the differences are finite in float32, and the way from one to the other is not.
      const model = sequential([2], [dense(2), relu(), dense(1)]);
      const params = {
        dense1: { kernel: { shape: [2, 2], data: Float32Array.of(1, -1, -1, 1) }, bias: zeros(2) },
        dense2: { kernel: { shape: [2, 1], data: Float32Array.of(1, 1) }, bias: zeros(1) },
      };
      const large = new Float64Array(2).fill(1e38);
      const violation = { coefficients: Float64Array.of(-1), bound: -1e30 };
      const property = {
        inputs: 2,
        outputs: 1,
        cases: [{ lower: large.map((x) => -x), upper: large, outputs: [violation] }],
      };
      const decision = await decided({ model, params, stats: {} }, property, { split, attack: null });
      expect(decision).toMatchObject({ verdict: 'unknown', reason: 'not finite' });
    },
  );

  it('leaves nothing on the device', async () => {
    const before = device.live;
    await decided(network, below(MLP, least - 0.1), { split: 'relus' });
    await decided(network, below(MLP, least + 0.1), { split: 'inputs', attack: null });
    expect(device.live).toBe(before);
  });
});
