/** Level `real` against exact rational arithmetic. */
import { expect, it } from 'vitest';
import { type ExactBounds, exactIbp, less, minus, of, toNumber } from '../test/fractions.ts';
import { ahead, anySlopes, anyTree, ibp, usual } from '../test/leaves.ts';
import { NetBuilder, networkFile, seeded, sizeOf } from '../test/make.ts';
import { smallNet } from '../test/nets.ts';
import type { Bounds } from './bounds.js';
import { readCheckpoint } from './checkpoint.js';
import { networkOf } from './graph.js';
import { marginBound, propagate } from './linear.js';

const toExact = (box: Bounds): ExactBounds => ({ lower: [...box.lower].map(of), upper: [...box.upper].map(of) });

it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
  'contains the exact bounds of net %i, and is at most 1e-9 wider',
  async (seed) => {
    const random = seeded(seed + 1000);
    const net = smallNet(seed, [1, 1e-3, 40][seed % 3]);
    const { layers } = await networkOf(readCheckpoint(networkFile(net)));
    const x = Float64Array.from({ length: sizeOf(net.inputShape) }, () => Math.fround(random()));
    const epsilon = [0, 1e-6, 0.1][seed % 3]!;
    const box = { lower: x.map((v) => v - epsilon), upper: x.map((v) => v + epsilon) };
    const exact = exactIbp(net, toExact(box), 1);
    const values = propagate(layers, box, 'real');
    const last = values.get(layers.at(-1)!)!;
    const oracle = exact.values.get(net.nodes.at(-1)!.name)!;
    for (let i = 0; i < 3; i++) {
      expect(less(oracle.lower[i]!, of(last.lower[i]!))).toBe(false);
      expect(less(of(last.upper[i]!), oracle.upper[i]!)).toBe(false);
      const size = Math.max(Math.abs(last.lower[i]!), Math.abs(last.upper[i]!));
      expect(toNumber(minus(oracle.lower[i]!, of(last.lower[i]!)))).toBeLessThan(1e-9 * size);
      expect(toNumber(minus(of(last.upper[i]!), oracle.upper[i]!))).toBeLessThan(1e-9 * size);
    }
    for (const [i, other] of [0, 2].entries()) {
      const margin = marginBound(layers, values, 'real', ahead(3, 1, other), ibp);
      expect(less(exact.margins[i]!, of(margin))).toBe(false);
      expect(toNumber(minus(exact.margins[i]!, of(margin)))).toBeLessThan(1e-9 * Math.abs(margin) + 1e-9);
      // A linear bound is below the margin at every point: here at corners and at the middle.
      const row = ahead(3, 1, other);
      const linear = [
        marginBound(layers, values, 'real', row, { ...usual, slopeOf: anySlopes(layers, random) }),
        marginBound(layers, values, 'real', row, usual),
      ];
      const leaves = [1, 3].map((depth) => anyTree(layers, depth, random));
      const trees = leaves.map((own) => Math.min(...own.map((leaf) => marginBound(layers, values, 'real', row, leaf))));
      expect(linear.every(Number.isFinite)).toBe(true);
      for (let sample = 0; sample < 6; sample++) {
        const point = [...x].map((_, at) => of(sample === 0 ? x[at]! : (random() < 0.5 ? box.lower : box.upper)[at]!));
        const logits = exactIbp(net, { lower: point, upper: point }, 1).values.get(net.nodes.at(-1)!.name)!.lower;
        const difference = minus(logits[1]!, logits[other]!);
        for (const bound of [...linear, ...trees]) expect(less(difference, of(bound))).toBe(false);
        if (epsilon === 0) {
          for (const bound of linear)
            expect(toNumber(minus(difference, of(bound)))).toBeLessThan(1e-9 * (Math.abs(bound) + 1));
        }
      }
    }
  },
);

it('contains the exact bounds where float64 itself cancels', async () => {
  const random = seeded(4);
  for (let seed = 0; seed < 40; seed++) {
    const scales = [2 ** 55, 1, 2 ** 30];
    const net = new NetBuilder([8], () => (random() * 2 - 1) * scales[Math.floor(random() * 3)]!).dense(6).build();
    const { layers } = await networkOf(readCheckpoint(networkFile(net)));
    const x = Float64Array.from({ length: 8 }, () => Math.fround(random()));
    const box = { lower: x, upper: x };
    const exact = exactIbp(net, toExact(box), 0);
    const values = propagate(layers, box, 'real');
    for (const [i, value] of exact.values.get(net.nodes[0]!.name)!.lower.entries()) {
      expect(less(value, of(values.get(layers[1]!)!.lower[i]!))).toBe(false);
      expect(less(of(values.get(layers[1]!)!.upper[i]!), value)).toBe(false);
    }
    for (const leaf of [ibp, usual]) {
      expect(less(exact.margins[0]!, of(marginBound(layers, values, 'real', ahead(6, 0, 1), leaf)))).toBe(false);
    }
  }
});
