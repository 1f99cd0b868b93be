import {
  createRng,
  dense,
  type Layer,
  type Op,
  type Rng,
  sequential,
  sizeOf,
  type Tensor,
  tf,
  toTensors,
} from '@cert/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  adversarialNetworks,
  cancellingNetwork,
  compareDyadic,
  drawExecution,
  drawPoint,
  drawRealPoint,
  dyadic,
  executeExact,
  executor,
  float32Ends,
  type HostNetwork,
  smallModels,
  subtractDyadic,
  toNumber,
} from '../../../../soundness/src/index.js';
import { extend, ibp, marginSpec, runningNorm, type SoundLevel, soundBall, soundIbp } from '../index.js';

beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

const nets = smallModels().map(({ name, model }) => [name, model] as const);
const weights = cancellingNetwork;

function boundsOf(
  { model, params, stats }: HostNetwork,
  x: Float32Array,
  epsilon: number,
  level: SoundLevel,
  label = 0,
) {
  const network = { model, params: toTensors(params), norm: runningNorm(toTensors(stats)) };
  const box = soundBall(tf.tensor(x, [1, ...model.inputShape]), epsilon);
  const spec = marginSpec(tf.tensor1d([label], 'int32'), model.classes);
  const method = soundIbp({ level });
  const logits = method.bound({ network, box }).output;
  const margins = method.bound({ network, box, spec }).output;
  const values = (tensor: Tensor) => Array.from(tensor.dataSync());
  return {
    lower: values(logits.lower),
    upper: values(logits.upper),
    margins: values(margins.lower),
    plain: values(ibp.bound({ network, box, spec }).output.lower),
  };
}

describe.each(nets)('soundIbp on %s', (name, model) => {
  /** Random networks, each with a point and bounds on balls around it. Narrow balls show rounding, wide ones the rest. */
  function* problems(level: SoundLevel, rng: Rng) {
    for (let net = 0; net < 12; net++) {
      const network = weights(model, rng);
      const image = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
      for (const epsilon of [0, 1e-7, 0.1]) {
        const bounds = boundsOf(network, image, epsilon, level);
        expect(bounds.lower.concat(bounds.upper, bounds.margins).every(Number.isFinite)).toBe(true);
        yield { network, ball: { image, epsilon, range: { min: 0, max: 1 } }, ...bounds };
      }
    }
  }

  it('contains every execution', () => {
    const rng = createRng(3, name);
    let unequal = 0;
    for (const { network, ball, lower, upper, margins } of problems('deployed', rng)) {
      const [run, ends] = [executor(network), float32Ends(ball)];
      let first: Float32Array | undefined;
      for (let draw = 0; draw < 12; draw++) {
        const logits = run(drawPoint(ends, ball.image, rng), drawExecution(rng));
        first ??= logits;
        if (ball.epsilon === 0 && logits.some((value, i) => value !== first![i])) unequal++;
        logits.forEach((value, i) => {
          expect(value).toBeGreaterThanOrEqual(lower[i]!);
          expect(value).toBeLessThanOrEqual(upper[i]!);
          if (i > 0) expect(logits[0]! - value).toBeGreaterThanOrEqual(margins[i - 1]!);
        });
      }
    }
    // The executions do differ: otherwise this test would show little.
    expect(unequal).toBeGreaterThan(60);
  });

  it('contains the logits over the real numbers, evaluated exactly', () => {
    const rng = createRng(3, name);
    for (const { network, ball, lower, upper, margins } of problems('real', rng)) {
      for (let draw = 0; draw < 4; draw++) {
        const logits = executeExact(network, drawRealPoint(ball, rng));
        logits.lower.forEach((value, i) => {
          expect(compareDyadic(value, dyadic(lower[i]!))).toBeGreaterThanOrEqual(0);
          expect(compareDyadic(logits.upper[i]!, dyadic(upper[i]!))).toBeLessThanOrEqual(0);
          if (i === 0) return;
          const margin = subtractDyadic(logits.lower[0]!, logits.upper[i]!);
          expect(compareDyadic(margin, dyadic(margins[i - 1]!))).toBeGreaterThanOrEqual(0);
        });
      }
    }
  });

  it('is hardly wider than plain bounds where nothing cancels', () => {
    const rng = createRng(4, name);
    const network = weights(model, { ...rng, uniform: () => 1 / 3 });
    const x = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
    const { margins, plain } = boundsOf(network, x, 0.1, 'deployed');
    margins.forEach((margin, i) => {
      expect(margin).toBeLessThan(plain[i]!);
      expect(plain[i]! - margin).toBeLessThan(1e-3 * Math.abs(plain[i]!) + 1e-3);
    });
  });
});

it('a network that loses a neuron beside a large number is verified by plain bounds, and refused at both levels', () => {
  const network = adversarialNetworks().find(({ name }) => name === 'lost-center')!;
  for (const level of ['real', 'deployed'] as const) {
    const { margins, plain } = boundsOf(network, network.image, network.epsilon, level);
    expect(plain[0]).toBeGreaterThan(0);
    expect(margins[0]).toBeLessThan(-1);
  }
  const [first, second] = executeExact(network, network.image).lower.map(toNumber);
  expect(first! - second!).toBeLessThan(0);
});

it('contains sums that lose a rounding with every term', () => {
  // 1 + 2^-24 rounds to 1, a thousand times; from the other end nothing is lost.
  const model = sequential([1001], [dense(2)]);
  const kernel = Float32Array.from({ length: 2002 }, (_, i) => (i % 2 === 1 ? 0 : i === 0 ? 1 : 2 ** -24));
  const network: HostNetwork = {
    ...{ model, stats: {} },
    params: { dense1: { kernel: { shape: [1001, 2], data: kernel }, bias: { shape: [2], data: new Float32Array(2) } } },
  };
  const x = new Float32Array(1001).fill(1);
  const rng = createRng(8);
  const run = executor(network);
  const found = Array.from({ length: 60 }, () => run(x, drawExecution(rng))[0]!);
  const [least, most] = [Math.min(...found), Math.max(...found)];
  expect(most - least).toBeGreaterThan(900 * 2 ** -24);
  const { lower, upper, margins } = boundsOf(network, x, 0, 'deployed');
  expect(margins[0]).toBeLessThanOrEqual(least);
  expect(lower[0]).toBeLessThanOrEqual(least);
  expect(upper[0]).toBeGreaterThanOrEqual(most);
  // What the execution may lose comes on top of what these bounds lose themselves.
  const real = boundsOf(network, x, 0, 'real');
  expect(real.lower[0]! - lower[0]!).toBeGreaterThan(1001 * 2 ** -24);
});

describe('what cannot be bounded', () => {
  const changed = (node: string, param: string, value: number): number[] => {
    const network = weights(nets[1]![1], createRng(5));
    const tree = param in (network.params[node] ?? {}) ? network.params : network.stats;
    tree[node]![param]!.data[0] = value;
    const { margins } = boundsOf(network, new Float32Array(72).fill(0.5), 0.1, 'deployed');
    return margins;
  };
  it.each([
    ['conv2d1', 'kernel', Number.NaN],
    ['conv2d1', 'kernel', Number.POSITIVE_INFINITY],
    ['conv2d1', 'kernel', 2 ** 100],
    ['conv2d1', 'bias', -(2 ** 127)],
    ['batchNorm1', 'variance', Number.NaN],
    ['batchNorm1', 'variance', Number.POSITIVE_INFINITY],
    ['batchNorm1', 'variance', -1],
    ['batchNorm1', 'variance', -1e-5],
    ['batchNorm2', 'gamma', 2 ** 90],
    ['batchNorm2', 'mean', Number.NEGATIVE_INFINITY],
    ['batchNorm2', 'beta', Number.NaN],
    ['dense1', 'bias', Number.NaN],
  ])('%s.%s = %s gives NaN', (node, param, value) => {
    expect(changed(node, param, value).every(Number.isNaN)).toBe(true);
  });

  it('an op without a rule is an error that names it', () => {
    const gelu = { op: 'testGelu', attrs: {}, infer: (shape) => ({ shape, params: {}, stats: {} }) } as Layer<Op>;
    const network = { model: sequential([2], [gelu, dense(2)]), params: {} };
    const box = soundBall(tf.zeros([1, 2]), 0.1);
    expect(() => soundIbp({ level: 'deployed' }).bound({ network, box })).toThrow(
      expect.objectContaining({ code: 'missing-rule' }),
    );
    const extended = extend(soundIbp({ level: 'real' }), { testGelu: (_node, _params, _, x) => x });
    expect(extended.rules.testGelu).toBeDefined();
  });

  it('an empty box gives NaN or infinity', () => {
    const network = weights(nets[0]![1], createRng(6));
    const { margins } = boundsOf(network, new Float32Array(40).fill(1.5), 0.1, 'real');
    expect(margins.every((margin) => !Number.isFinite(margin))).toBe(true);
  });
});

describe('soundBall', () => {
  const ends = (x: number, epsilon: number, range?: { min: number; max: number } | null): [number, number] => {
    const { center, radius } = soundBall(tf.tensor1d([x]), epsilon, range);
    const [c, r] = [center.dataSync()[0]!, radius.dataSync()[0]!];
    return [c - r, c + r];
  };
  it.each([0.7, 0.9, 0.1, 8 / 255, 1 / 255, 1e-9, 0])('contains the ball of %s', (epsilon) => {
    const rng = createRng(7);
    for (let i = 0; i < 200; i++) {
      const x = Math.fround(rng.uniform());
      const [lower, upper] = ends(x, epsilon);
      // Float64 rounds these sums by less than the difference that decides.
      expect(lower).toBeLessThanOrEqual(Math.max(0, x - epsilon));
      expect(upper).toBeGreaterThanOrEqual(Math.min(1, x + epsilon));
      expect(upper - lower).toBeLessThanOrEqual(2 * epsilon + 4e-6);
      const [down, up] = ends(x * 4 - 2, epsilon, null);
      expect(down).toBeLessThanOrEqual(x * 4 - 2 - epsilon);
      expect(up).toBeGreaterThanOrEqual(x * 4 - 2 + epsilon);
    }
  });

  it('has ends beyond the decimal where float32 would stop short', () => {
    expect(Math.fround(0.7)).toBeLessThan(0.7);
    expect(ends(0, 0.7, { min: 0, max: 0.9 })[1]).toBeGreaterThan(0.7);
    expect(ends(0, 1, { min: 0, max: 0.9 })[1]).toBeGreaterThan(0.9);
  });

  it('refuses a radius that is no number', () => {
    expect(() => soundBall(tf.zeros([1]), Number.NaN)).toThrow(expect.objectContaining({ code: 'bad-argument' }));
  });
});
