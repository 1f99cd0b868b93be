/** Level `deployed`: float32 executions in many orders stay inside the bounds. FUZZ=1000000 for that many executions. */
import { expect, it } from 'vitest';
import { fma, prepare } from '../test/execute.ts';
import { ahead, anySlopes, anyTree, ibp, usual } from '../test/leaves.ts';
import { NetBuilder, type NetSpec, networkFile, seeded, sizeOf } from '../test/make.ts';
import { smallNet } from '../test/nets.ts';
import type { Bounds } from './bounds.js';
import { readCheckpoint } from './checkpoint.js';
import { networkOf } from './graph.js';
import { marginBound, propagate } from './linear.js';

const EXECUTIONS = Number(process.env.FUZZ ?? 6000);
const PER_NET = 300;

it('multiplies and adds with one rounding', () => {
  // The product ends 2^-60 above the middle of two float32 numbers; rounding it to float64 first would lose that.
  expect(fma(1 + 2 ** -23, 1 + 2 ** -23, 2 ** -60)).toBe(Math.fround(1 + 2 ** -22 + 2 ** -45));
  expect(fma(2 ** -30, 2 ** -30, 1 + 2 ** -23)).toBe(1 + 2 ** -23);
  expect(fma(1, 1 + 2 ** -23, 2 ** -24)).toBe(1 + 2 ** -22);
  expect(fma(1, 1 + 2 ** -23, 2 ** -24 - 2 ** -60)).toBe(1 + 2 ** -23);
});

/** Weights that cancel, that underflow, and variances near 0. */
function nets(seed: number): NetSpec {
  const random = seeded(seed);
  const kind = seed % 8;
  if (kind < 3) return smallNet(seed, [1, 2 ** -60, 30][kind]);
  if (kind >= 6) {
    // The rounding of a sum alone, and of a normalization alone: nothing else hides what these may err.
    const short = new NetBuilder([kind === 6 ? 3 : 1], () => random() * 2 - 1);
    if (kind === 6) return short.relu().sum('input', short.last).sum('input', short.last).build();
    const zero = () => 0;
    const norm = { gamma: () => random() + 0.5, variance: random, mean: zero, beta: zero };
    return short
      .dense(1000, () => 1, zero)
      .batchNorm(1e-3, norm)
      .build();
  }
  const scales = [2 ** 30, 1, 2 ** -126];
  const net = new NetBuilder([6], () => (random() * 2 - 1) * (kind === 3 ? scales[Math.floor(random() * 3)]! : 1));
  net.dense(5);
  const small = { variance: () => (random() < 0.5 ? 0 : 2 ** -130), gamma: () => random() - 0.5 };
  if (kind === 4) net.batchNorm(random() < 0.5 ? 1e-12 : 1e-3, small);
  if (kind === 5) net.batchNorm(1e-5).relu().batchNorm(1e-3).batchNorm(1e-5);
  return net
    .relu()
    .dense(4)
    .batchNorm(1e-3, { gamma: () => random() * 2 - 1 })
    .relu()
    .dense(3)
    .build();
}

it(`holds ${EXECUTIONS} executions within bounds and margins`, { timeout: 36e5 }, async () => {
  let outside = 0;
  let nearest = Number.POSITIVE_INFINITY;
  for (let seed = 0; seed * PER_NET < EXECUTIONS; seed++) {
    const net = nets(seed);
    const random = seeded(seed + 77);
    const { layers } = await networkOf(readCheckpoint(networkFile(net)));
    const execute = prepare(net);
    const center = Float32Array.from(
      { length: sizeOf(net.inputShape) },
      () => random() * (seed % 7 === 0 ? 2 ** -100 : 1),
    );
    // Boxes of one point show the rounding alone.
    const epsilon = seed % 8 >= 6 ? 0 : [0, 0, 0, 1e-7, 0.05][seed % 5]!;
    const box: Bounds = {
      lower: Float64Array.from(center, (v) => v - epsilon),
      upper: Float64Array.from(center, (v) => v + epsilon),
    };
    const values = propagate(layers, box, 'deployed');
    const { lower, upper } = values.get(layers.at(-1)!)!;
    const single = [ibp, usual, { ...usual, slopeOf: anySlopes(layers, random) }];
    const trees = [...single.map((leaf) => [leaf]), anyTree(layers, 1, random), anyTree(layers, 3, random)];
    const margins = [1, 2].map((other) =>
      trees.map((leaves) => {
        const row = ahead(net.classes, 0, other);
        return Math.min(...leaves.map((leaf) => marginBound(layers, values, 'deployed', row, leaf)));
      }),
    );
    for (let i = 0; i < PER_NET; i++) {
      const x = center.map((v, at) => {
        const end = random();
        const picked = Math.fround(
          end < 0.4 ? box.lower[at]! : end < 0.8 ? box.upper[at]! : v + (random() * 2 - 1) * epsilon,
        );
        return picked >= box.lower[at]! && picked <= box.upper[at]! ? picked : v;
      });
      const logits = execute(x, random);
      for (const [at, logit] of logits.entries()) {
        if (!(logit >= lower[at]! && logit <= upper[at]!)) outside++;
        if (epsilon === 0)
          nearest = Math.min(nearest, Math.min(logit - lower[at]!, upper[at]! - logit) / (upper[at]! - lower[at]!));
      }
      for (const [at, bounds] of margins.entries()) {
        for (const bound of bounds) if (!(logits[0]! - logits[at + 1]! >= bound)) outside++;
      }
    }
  }
  expect(outside).toBe(0);
  // The bounds are not so wide that nothing could be outside: some execution uses a part of them.
  expect(nearest).toBeLessThan(0.45);
});
