/** Evidence of branch and bound: trees of splits of the box. */
import { describe, expect, it } from 'vitest';
import { nested, withOtherSides } from '../test/leaves.ts';
import { certificate, NetBuilder, networkFile, seeded } from '../test/make.ts';
import { checkCertificate } from './check.ts';

/**
 * Logits 2 relu(z) + 0.125 and relu(2 z) with z = 2 x - 1: they differ by 0.125 everywhere. Around z = 0 a backward pass shows that on a part of the box
 * that is narrow in x alone.
 */
const net = (() => {
  const numbers = [2, 4, 0, 0, -1, -2];
  const last = [2, 0, 0, 1, 0.125, 0];
  return new NetBuilder([2], () => numbers.shift()!)
    .dense(2)
    .add('relu', [2], { name: 'relu' })
    .dense(
      2,
      () => last.shift()!,
      () => last.shift()!,
    )
    .build();
})();
const file = networkFile(net);
const check = (data: object) => checkCertificate(JSON.stringify(data), async () => file);

const cut = (at: unknown, input: unknown = 0) => ({ input, at });
const split = (neuron: number) => ({ relu: 'relu', neuron });
const leaf = (...multipliers: readonly number[]) => ({ row: 0, slopes: '', multipliers });
const TREE: readonly object[] = [cut(0.48), leaf(), cut(0.52), leaf(), leaf()];
const claim = { net, input: Float32Array.of(0.5, 0.5), epsilon: '1/2', label: 0 } as const;
/** @param own the tree, or its splits and leaves in order */
const withTree = (own: object | readonly object[], changes: object = {}) => ({
  ...certificate({ ...claim, ...changes }),
  evidence: [{ kind: 'tree', neurons: {}, intermediate: 'crown', cases: [Array.isArray(own) ? nested(own) : own] }],
});

describe('a tree of splits of the box', () => {
  it.each(['real', 'deployed'] as const)('shows at level %s what one backward pass does not', async (level) => {
    const plain = await check(withTree([leaf()], { level }));
    expect(plain).toMatchObject({ holds: false, reason: expect.stringContaining('not proved') });
    const { holds, margins } = await check(withTree(TREE, { level }));
    expect(holds).toBe(true);
    expect(margins[0]).toBeGreaterThan(0.04);
    expect(margins[0]).toBeLessThan(0.0451);
  });

  it('may split on ReLUs, too', async () => {
    const relus = [split(0), split(1), leaf(0, 0), leaf(2, 0), split(1), leaf(2, 0), leaf(0, 0)];
    const inside = await check(withTree([cut(0.48), leaf(), ...relus]));
    expect(inside.holds).toBe(true);
    expect(inside.margins[0]).toBeGreaterThan(0.1249);
    const below = [cut(0.3), leaf(0, 0), leaf(0, 0)];
    const outside = await check(withTree([split(0), split(1), ...below, leaf(2, 0), split(1), leaf(2, 0), leaf(0, 0)]));
    expect(outside.holds).toBe(true);
  });

  it('has a margin that holds wherever it splits', async () => {
    const random = seeded(5);
    const below = (ends: readonly (readonly [number, number])[], depth: number): object[] => {
      if (depth === 0) return [leaf()];
      const input = random() < 0.8 ? 0 : 1;
      const [l, u] = ends[input]!;
      const at = l + (0.01 + 0.98 * random()) * (u - l);
      const sides = (
        [
          [l, at],
          [at, u],
        ] as const
      ).map((side) => ends.map((own, i) => (i === input ? side : own)));
      return [cut(at, input), ...sides.flatMap((side) => below(side, depth - 1))];
    };
    const unit = [
      [0, 1],
      [0, 1],
    ] as const;
    let proved = 0;
    for (let i = 0; i < 60; i++) {
      const { holds, margins } = await check(withTree(below(unit, 1 + (i % 6))));
      expect(margins[0]).toBeLessThanOrEqual(0.125);
      if (holds) proved++;
    }
    expect(proved).toBeGreaterThan(5);
  });

  it('proves nothing of a label that is wrong somewhere', async () => {
    // The other label is smaller everywhere, and no cut hides it.
    for (const at of [0.001, 0.25, 0.5, 0.999]) {
      const { holds, margins } = await check(withTree([cut(at), leaf(), leaf()], { label: 1 }));
      expect(holds).toBe(false);
      expect(margins[0]).toBeLessThanOrEqual(-0.125);
    }
  });

  const replaced = (at: number, entry: object) => TREE.map((own, i) => (i === at ? entry : own));
  it.each<[string, RegExp, object | readonly object[]]>([
    ...withOtherSides(nested(TREE)).map((own, i): [string, RegExp, object] => [
      `other sides, ${i}`,
      /sides has \d items/,
      own,
    ]),
    ['the sides of a split exchanged', /is not inside of/, [cut(0.48), cut(0.52), leaf(), leaf(), leaf()]],
    ['a split on another input', /not proved/, replaced(0, cut(0.48, 1))],
    ['splits on another input alone', /not proved/, [cut(0.48, 1), leaf(), cut(0.52, 1), leaf(), leaf()]],
    ['splits elsewhere', /not proved/, [cut(0.1), leaf(), cut(0.9), leaf(), leaf()]],
    ['a split below the box', /at -1 is not inside of/, replaced(0, cut(-1))],
    ['a split above the box', /at 2 is not inside of/, replaced(0, cut(2))],
    ['a split below what a split above it leaves', /at 0.47 is not inside of \[0.48/, replaced(2, cut(0.47))],
    ['a split where the split above it is', /at 0.48 is not inside of \[0.48/, replaced(2, cut(0.48))],
    ['a split above the end of the box', /is not inside of/, replaced(2, cut(1.0000000001))],
    ['an input that the network does not have', /input 2 of a network that has 2/, replaced(0, cut(0.5, 2))],
    ['an input below 0', /not a whole number from 0/, replaced(0, cut(0.5, -1))],
    ['half an input', /not a whole number from 0/, replaced(0, cut(0.5, 0.5))],
    ['an input that is text', /input is not a whole number/, replaced(0, cut(0.5, '0'))],
    ['a value that is NaN', /not a number/, replaced(0, cut(Number.NaN))],
    ['a value that is text', /not a number/, replaced(0, cut('0.48'))],
    ['a split without value', /has no "at"/, replaced(0, { input: 0 })],
    ['a split of a ReLU and of an input', /unknown field|has no/, replaced(0, { ...cut(0.48), ...split(0) })],
    ['a split with a sign', /unknown field "sign"/, replaced(0, { ...cut(0.48), sign: 1 })],
    ['a leaf with a multiplier for it', /one multiplier for each split/, replaced(1, leaf(0))],
  ])('is refused with %s', async (_, reason, entries) => {
    const verdict = await check(withTree(entries));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });

  it('is refused for a value that is too large for a number', async () => {
    const text = JSON.stringify(withTree(TREE)).replace('"at":0.52', '"at":1e999');
    expect(await checkCertificate(text, async () => file)).toMatchObject({
      holds: false,
      reason: expect.stringContaining('not written as JSON.stringify writes it'),
    });
  });

  it('is refused where a part of the box has no bounds', async () => {
    const verdict = await check({
      ...withTree(TREE),
      perturbation: { kind: 'linf', epsilon: '1/2', range: ['2', '3'] },
    });
    expect(verdict.holds).toBe(false);
  });
});
