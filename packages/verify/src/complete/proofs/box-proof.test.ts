import { soundIbp } from '@cert/bounds';
import { dense, relu, sequential } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { adversarialNetworks, float32Ends } from '../../../../../soundness/src/index.js';
import type { HostNetwork } from '../host-network.js';
import { regionsOf } from '../region.js';
import type { BoxTree } from '../search.js';
import { evidenceOfBoxes } from './box-evidence.js';
import { type ProvedBox, proveBoxes } from './box-proof.js';

const weights = (rows: number, ...data: number[]) => ({
  kernel: { shape: [rows, data.length / rows], data: Float32Array.from(data) },
  bias: { shape: [data.length / rows], data: new Float32Array(data.length / rows) },
});

/** 2 relu(z) - relu(2 z) for z = x - y, which is 0: no bound without splits is near. */
const network: HostNetwork = {
  model: sequential([2], [dense(2), relu(), dense(1)]),
  params: { dense1: weights(2, 1, 2, -1, -2), dense2: weights(2, 2, -1) },
  stats: {},
};

/** Never output <= bound in [-1, 1]^2, for each bound. */
function regionOf(...bounds: readonly number[]) {
  const box = { lower: Float64Array.of(-1, -1), upper: Float64Array.of(1, 1) };
  const cases = bounds.map((bound) => ({ ...box, outputs: [{ coefficients: Float64Array.of(1), bound }] }));
  return regionsOf({ inputs: 2, outputs: 1, cases })[0]!;
}

/** A tree that splits the longer side in the middle, and says at its ends that everything is proved. */
function grid(depth: number, cases: readonly number[], lower = [-1, -1], upper = [1, 1]): BoxTree {
  if (depth === 0) return { excluded: cases };
  const input = upper[0]! - lower[0]! >= upper[1]! - lower[1]! ? 0 : 1;
  const at = (lower[input]! + upper[input]!) / 2;
  const low = grid(depth - 1, cases, lower, upper.with(input, at));
  return { excluded: [], split: { input, at, low, high: grid(depth - 1, cases, lower.with(input, at), upper) } };
}

const prove = (tree: BoxTree, bounds: readonly number[], more: Partial<Parameters<typeof proveBoxes>[0]> = {}) =>
  proveBoxes({ network, region: regionOf(...bounds), tree, level: 'deployed', expired: () => false, ...more });

const leavesOf = ({ split }: ProvedBox): number =>
  split === undefined ? 1 : leavesOf(split.low) + leavesOf(split.high);

/** Splits of an input in the middle, where there is one, until a number of them are above each other. */
function halved(cases: readonly number[], lower: readonly number[], upper: readonly number[], depth: number): BoxTree {
  const [input, width] = lower.reduce(
    ([best, most], l, i) => (upper[i]! - l > most ? [i, upper[i]! - l] : [best, most]),
    [0, 0],
  );
  const at = Math.fround((lower[input]! + upper[input]!) / 2);
  if (depth === 0 || !(width > 0 && lower[input]! < at && at < upper[input]!)) return { excluded: cases };
  const low = halved(cases, lower, upper.with(input, at), depth - 1);
  return { excluded: [], split: { input, at, low, high: halved(cases, lower.with(input, at), upper, depth - 1) } };
}

describe.each([1, 2])('networks built to fool verifiers, seed %i', (seed) => {
  // That a runtime begins a sum with the residual is nothing that the levels allow: see the README of soundness.
  const networks = adversarialNetworks({ seed }).filter(({ name }) => name !== 'residual-fused');
  it.each(networks.map((net) => [net.name, net] as const))('%s', async (_, net) => {
    const { model, image, label, refutesReal } = net;
    const known = soundIbp({ level: 'deployed' }).rules;
    if (!model.nodes.every(({ op }) => op in known)) return;
    const ends = float32Ends(net);
    const [lower, upper] = [Float64Array.from(ends.lower), Float64Array.from(ends.upper)];
    const others = Array.from({ length: model.classes }, (__, j) => j).filter((j) => j !== label);
    const cases = others.map((other) => {
      const coefficients = new Float64Array(model.classes);
      [coefficients[label], coefficients[other]] = [1, -1];
      return { lower, upper, outputs: [{ coefficients, bound: 0 }] };
    });
    const region = regionsOf({ inputs: image.length, outputs: model.classes, cases })[0]!;
    for (const level of refutesReal ? (['real', 'deployed'] as const) : (['deployed'] as const)) {
      for (const inherit of [false, true]) {
        for (const depth of [0, 1, 4]) {
          const tree = halved([...cases.keys()], [...lower], [...upper], depth);
          const proof = await proveBoxes({ network: net, region, tree, level, inherit, expired: () => false });
          expect(proof).toBeUndefined();
        }
      }
    }
  });
});

describe('a proof by boxes', () => {
  it.each(['real', 'deployed'] as const)('is made of what a search has split, at level %s', async (level) => {
    const proof = await prove(grid(6, [0]), [-0.6], { level });
    expect(leavesOf(proof!.tree)).toBe(64);
    expect(proof!.lower).toBeGreaterThan(0);
    expect(proof!.lower).toBeLessThanOrEqual(0.6);
  });

  it('splits a box on where its bound is not enough', async () => {
    const proof = await prove(grid(2, [0]), [-0.6]);
    expect(leavesOf(proof!.tree)).toBeGreaterThan(4);
    expect(proof!.lower).toBeGreaterThan(0);
  });

  it('ends where everything is proved', async () => {
    const tree: BoxTree = { ...grid(6, []), excluded: [0] };
    const [entries] = evidenceOfBoxes((await prove(tree, [-10]))!.tree, 1).cases;
    expect(entries).toEqual([{ row: 0, slopes: '', multipliers: [] }]);
  });

  it('has a tree for each case, which ends where the case is proved', async () => {
    // The second case is proved on the whole box, the first one on parts of it.
    const proof = await prove({ ...grid(6, [0]), excluded: [1] }, [-0.6, -10]);
    const [first, second] = evidenceOfBoxes(proof!.tree, 2).cases;
    expect(first!.filter((entry) => 'row' in entry).length).toBe(64);
    expect(first!.filter((entry) => 'input' in entry).length).toBe(63);
    expect(second).toEqual([{ row: 0, slopes: '', multipliers: [] }]);
  });

  it('is none of what is wrong, or true only without rounding', async () => {
    for (const bound of [1, 0, -1e-12]) expect(await prove(grid(4, [0]), [bound])).toBeUndefined();
    // Exactly 0 is above -1e-12; but z is never known that well.
    expect(await prove(grid(4, [0]), [0], { level: 'real' })).toBeUndefined();
  });

  it('proves what a search does not say that it has proved', async () => {
    for (const tree of [{ excluded: [] }, { excluded: [0] }, grid(1, [1]), grid(1, [])]) {
      const proof = await prove(tree, [-10, -11]);
      const { cases } = evidenceOfBoxes(proof!.tree, 2);
      expect(cases.every((entries) => entries.some((entry) => 'row' in entry))).toBe(true);
      expect(await prove(tree, [-10, 1])).toBeUndefined();
      expect(await prove(tree, [1, -10])).toBeUndefined();
    }
  });

  it('is none for splits that are outside of the box, or nowhere', async () => {
    for (const at of [-2, 2, Number.NaN, Number.POSITIVE_INFINITY]) {
      const tree: BoxTree = { excluded: [], split: { input: 0, at, low: { excluded: [0] }, high: { excluded: [0] } } };
      expect(await prove(tree, [-10])).toBeUndefined();
      expect(await prove({ ...tree, split: { ...tree.split!, input: 2 } }, [-10])).toBeUndefined();
    }
  });

  it('is none for weights that are not finite, or bounds that overflow', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e38]) {
      const params = { ...network.params, dense2: weights(2, value, -1) };
      expect(await prove(grid(4, [0]), [-1e30], { network: { ...network, params } })).toBeUndefined();
    }
  });

  it('ends when time is up, and when it is aborted', async () => {
    expect(await prove(grid(6, [0]), [-0.5], { expired: () => true })).toBeUndefined();
    let asked = 0;
    expect(await prove(grid(6, [0]), [-0.5], { expired: () => ++asked > 40 })).toBeUndefined();
    const aborted = prove(grid(6, [0]), [-0.5], {
      expired: () => {
        throw new Error('aborted');
      },
    });
    await expect(aborted).rejects.toThrow('aborted');
  });

  it('may use bounds of boxes around a box', async () => {
    for (const level of ['real', 'deployed'] as const) {
      const plain = await prove(grid(8, [0]), [-0.5], { level });
      const inherited = await prove(grid(8, [0]), [-0.5], { level, inherit: true });
      expect(inherited!.lower).toBeGreaterThanOrEqual(plain!.lower - 1e-9);
      expect(inherited!.lower).toBeLessThanOrEqual(0.5);
      for (const bound of [1, 0, -1e-12]) {
        expect(await prove(grid(6, [0]), [bound], { level, inherit: true })).toBeUndefined();
      }
    }
  });

  it('has something to spare where that is asked for', async () => {
    const plain = await prove(grid(6, [0]), [-0.5]);
    const spared = await prove(grid(6, [0]), [-0.5], { spare: 1000 });
    expect(spared!.lower).toBeLessThan(plain!.lower);
    expect(spared!.lower).toBeGreaterThan(0);
  });
});
