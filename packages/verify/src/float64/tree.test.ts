import { createRng, linf, type Rng, sizeOf } from '@cert/core';
import { describe, expect, it } from 'vitest';
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
  smallModels,
  subtractDyadic,
} from '../../../../soundness/src/index.js';
import { boxAround, type Enclosures, endsOf } from './enclosure.js';
import { enclose } from './intervals.js';
import { crownIbpMargins, type MarginProblem } from './margins.js';
import { covers, encloseTightly, type Leaf, treeMargins } from './tree.js';

const around = (x: Float32Array, epsilon: number) => boxAround(x, linf({ epsilon }), [x.length], epsilon);

/** A tree that splits on random inputs of ReLUs, with any slopes and multipliers: the leaves of one class. */
function drawLeaves(problem: MarginProblem, other: number, depth: number, rng: Rng): Leaf[] {
  const { nodes } = problem.network.model;
  const relus = nodes.filter(({ op }) => op === 'relu' || op === 'leakyRelu');
  const slopes = () =>
    Object.fromEntries(
      relus.map(({ name, shape }) => [name, Float64Array.from({ length: sizeOf(shape) }, rng.uniform)]),
    );
  const split = (splits: Leaf['splits'], left: number): Leaf[] => {
    const candidates = nodes.filter(({ name }) => nodes.some(({ op, inputs }) => op === 'relu' && inputs[0] === name));
    if (left === 0 || candidates.length === 0) return [{ other, splits, slopes: slopes() }];
    const node = candidates[rng.int(candidates.length)]!;
    const neuron = rng.int(sizeOf(node.shape));
    if (splits.some((one) => one.node === node.name && one.neuron === neuron)) return split(splits, left - 1);
    return ([1, -1] as const).flatMap((sign) => {
      const multiplier = rng.uniform() < 0.3 ? 0 : rng.uniform() * 2 ** rng.int(4);
      return split([...splits, { node: node.name, neuron, sign, multiplier }], left - 1);
    });
  };
  return split([], depth);
}

const othersOf = ({ network, label }: MarginProblem) =>
  Array.from({ length: network.model.classes }, (_, j) => j).filter((j) => j !== label);

describe.each(smallModels())('trees in float64 on $name', ({ name, model }) => {
  it('are below the margins of every execution, whatever their slopes and multipliers are', () => {
    const rng = createRng(3, name);
    for (let net = 0; net < 6; net++) {
      const network = cancellingNetwork(model, rng);
      const run = executor(network);
      const image = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
      for (const epsilon of [0, 0.02, 0.2]) {
        const ball = { image, epsilon, range: { min: 0, max: 1 } };
        const bound = (level: 'real' | 'deployed') => {
          const problem = { network, box: around(image, epsilon), label: 1, level };
          const leaves = othersOf(problem).flatMap((other) => drawLeaves(problem, other, 3, rng));
          // Bounds on a larger box may be used, too.
          const enclosed = encloseTightly({ ...problem, box: around(image, 2 * epsilon + 0.01) });
          const of = (bounds: Enclosures) => treeMargins(problem, bounds, leaves);
          const [own, inherited] = [of(encloseTightly(problem)), of(encloseTightly(problem, undefined, enclosed))];
          expect([...own, ...inherited].every(Number.isFinite)).toBe(true);
          return own.map((margin, i) => Math.max(margin, inherited[i]!));
        };
        const [real, deployed] = [bound('real'), bound('deployed')];
        for (let draw = 0; draw < 10; draw++) {
          const logits = run(drawPoint(float32Ends(ball), image, rng), drawExecution(rng));
          deployed.forEach((lower, i) => {
            expect(lower).toBeLessThanOrEqual(logits[1]! - logits[i < 1 ? 0 : i + 1]!);
          });
        }
        for (let draw = 0; draw < 3; draw++) {
          const { lower, upper } = executeExact(network, drawRealPoint(ball, rng));
          real.forEach((margin, i) => {
            const exact = subtractDyadic(lower[1]!, upper[i < 1 ? 0 : i + 1]!);
            expect(compareDyadic(dyadic(margin), exact)).toBeLessThanOrEqual(0);
          });
        }
      }
    }
  });

  it('bound hidden neurons inside of the intervals, and margins no worse than those of CROWN-IBP without splits', () => {
    const rng = createRng(4, name);
    const network = cancellingNetwork(model, rng);
    const image = Float32Array.from({ length: sizeOf(model.inputShape) }, () => rng.uniform());
    const problem = { network, box: around(image, 0.05), label: 1, level: 'deployed' as const };
    const [tight, loose] = [encloseTightly(problem), enclose(network, problem.box, 'deployed')];
    for (const [node, enclosure] of tight.at) {
      const [inner, outer] = [endsOf(enclosure), endsOf(loose.at.get(node)!)];
      inner.lower.forEach((l, i) => {
        const slack = 1e-9 * (1 + Math.abs(outer.lower[i]!) + Math.abs(outer.upper[i]!));
        expect(l).toBeGreaterThanOrEqual(outer.lower[i]! - slack);
        expect(inner.upper[i]!).toBeLessThanOrEqual(outer.upper[i]! + slack);
      });
    }
    const whole = othersOf(problem).map((other) => ({ other, splits: [], slopes: {} }));
    const plain = crownIbpMargins(problem);
    // With the bounds of intervals a tree of one leaf is CROWN-IBP.
    expect(treeMargins(problem, loose, whole)).toEqual(plain);
  });
});

describe('a tree', () => {
  const network = cancellingNetwork(smallModels()[0]!.model, createRng(1, 'tree'));
  const image = new Float32Array(sizeOf(network.model.inputShape)).fill(0.5);
  const problem = { network, box: around(image, 0.1), label: 1, level: 'real' as const };
  const bounds = encloseTightly(problem);
  const leaves = othersOf(problem).flatMap((other) => drawLeaves(problem, other, 4, createRng(2, 'leaves', other)));

  it('that lacks a leaf proves nothing of its class', () => {
    expect(treeMargins(problem, bounds, leaves).every(Number.isFinite)).toBe(true);
    for (const gone of leaves) {
      const margins = treeMargins(
        problem,
        bounds,
        leaves.filter((leaf) => leaf !== gone),
      );
      const missing = othersOf(problem).indexOf(gone.other);
      margins.forEach((margin, i) => {
        expect(Number.isNaN(margin)).toBe(i === missing);
      });
    }
  });

  it('proves nothing when time is up', () => {
    expect(treeMargins(problem, bounds, leaves, () => true).every(Number.isNaN)).toBe(true);
    expect(encloseTightly(problem, () => true).usable).toBe(false);
  });

  it('covers what its splits leave out on neither side', () => {
    const on = (node: string, neuron: number, sign: 1 | -1) => ({ node, neuron, sign });
    expect(covers([[]])).toBe(true);
    expect(covers([])).toBe(false);
    expect(covers([[on('a', 0, 1)], [on('a', 0, -1)]])).toBe(true);
    expect(covers([[on('a', 0, 1)], [on('a', 1, -1)]])).toBe(false);
    expect(covers([[on('a', 0, 1)], [on('a', 0, -1), on('b', 2, 1)], [on('a', 0, -1), on('b', 2, -1)]])).toBe(true);
    expect(covers([[on('a', 0, 1)], [on('a', 0, -1), on('b', 2, 1)], [on('a', 0, -1), on('b', 3, -1)]])).toBe(false);
  });

  it('refuses a network that loses a neuron beside a large number', () => {
    const net = adversarialNetworks({ seed: 2 }).find((one) => one.name === 'lost-center')!;
    for (const level of ['real', 'deployed'] as const) {
      const hostile = { network: net, box: around(net.image, net.epsilon), label: net.label, level };
      const one = othersOf(hostile).flatMap((other) => drawLeaves(hostile, other, 2, createRng(5, 'hostile')));
      expect(Math.min(...treeMargins(hostile, encloseTightly(hostile), one))).toBeLessThan(0);
    }
  });
});
