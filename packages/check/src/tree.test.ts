/** Evidence of branch and bound: trees of splits over ReLUs. */
import { describe, expect, it } from 'vitest';
import { nested, withOtherSides } from '../test/leaves.ts';
import { certificate, NetBuilder, networkFile, sealed, seeded } from '../test/make.ts';
import { checkCertificate, createChecker } from './check.js';

/**
 * Logits 2 relu(z) + 0.125 and relu(2 z) with z = 2 (x + y - 1): they differ by 0.125 everywhere, and only splits on both neurons, with multipliers,
 * show that they differ at all.
 */
const net = (() => {
  const numbers = [2, 4, 2, 4, -2, -4];
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

const split = (neuron: number, relu = 'relu') => ({ relu, neuron });
const leaf = (...multipliers: readonly unknown[]) => ({ row: 0, slopes: '', multipliers });
const TREE: readonly object[] = [split(0), split(1), leaf(0, 0), leaf(2, 0), split(1), leaf(2, 0), leaf(0, 0)];
/** @param own the tree, or its splits and leaves in order */
const tree = (own: object | readonly object[], neurons: unknown = {}) => ({
  kind: 'tree',
  ...{ neurons, intermediate: 'ibp', cases: [Array.isArray(own) ? nested(own) : own] },
});
const claim = { net, input: Float32Array.of(0.5, 0.5), epsilon: '1/2', label: 0 } as const;
/** A certificate with a tree. */
const withTree = (own: object | readonly object[], neurons?: unknown) => ({
  ...certificate(claim),
  evidence: [tree(own, neurons)],
});

describe('a tree', () => {
  it.each(['real', 'deployed'] as const)('shows at level %s what one backward pass does not', async (level) => {
    const plain = await check(certificate({ ...claim, level, slopes: {} }));
    expect(plain).toMatchObject({ holds: false, reason: expect.stringContaining('not proved') });
    const { holds, margins } = await check({ ...certificate({ ...claim, level }), evidence: [tree(TREE)] });
    expect(holds).toBe(true);
    expect(margins[0]).toBeGreaterThan(0.1249);
    expect(margins[0]).toBeLessThanOrEqual(0.125);
  });

  it('has a margin that holds for every multiplier and slope', async () => {
    const random = seeded(3);
    const neurons = { relu: [1, 0] };
    for (let i = 0; i < 200; i++) {
      const entries = TREE.map((entry) => {
        if (!('multipliers' in entry)) return entry;
        const slopes = Buffer.from([random() * 256, random() * 256]).toString('base64');
        return { ...leaf(random() * 4, random() * 4), slopes };
      });
      const { margins } = await check(withTree(entries, neurons));
      expect(margins[0]).toBeLessThanOrEqual(0.125);
    }
  });

  it('has slopes for the neurons that it names, and the usual ones elsewhere', async () => {
    // More of the interval of z is above 0, so that the usual slope is 1.
    const data = (slopes: string, neurons: readonly number[]) => ({
      ...certificate({ ...claim, input: Float32Array.of(0.625, 0.5) }),
      evidence: [tree({ ...leaf(), slopes }, { relu: neurons })],
    });
    const marginOf = async (slopes: string, neurons: readonly number[]) =>
      (await check(data(slopes, neurons))).margins[0]!;
    const usual = await marginOf('', []);
    expect(await marginOf('/w==', [0])).toBe(usual);
    expect(await marginOf('AA==', [0])).not.toBe(usual);
    expect(await marginOf('AA==', [1])).toBe(usual);
    expect(await marginOf('/wA=', [1, 0])).toBe(await marginOf('AA==', [0]));
  });

  it('may contain leaves that nothing reaches', async () => {
    // On a smaller box z is above 0: the leaves of z <= 0 are empty.
    const small = { ...claim, input: Float32Array.of(0.75, 0.75), epsilon: '1/8' };
    const entries = [split(0), split(1), leaf(0, 0), leaf(0, 0), leaf(0)];
    const { holds, margins } = await check({ ...certificate(small), evidence: [tree(entries)] });
    expect(holds).toBe(true);
    expect(margins[0]).toBeGreaterThan(0.1249);
  });

  const swapped = (a: number, b: number) => TREE.map((_, i) => TREE[i === a ? b : i === b ? a : i]!);
  const replaced = (at: number, entry: object) => TREE.map((own, i) => (i === at ? entry : own));
  it.each<[string, RegExp, object | readonly object[], unknown?]>([
    ...withOtherSides(nested(TREE)).map((own, i): [string, RegExp, object] => [
      `other sides, ${i}`,
      /sides has \d items/,
      own,
    ]),
    ['the sides of a split exchanged', /not proved/, swapped(2, 3)],
    ['the sides of another split exchanged', /not proved/, swapped(5, 6)],
    ['a split on the wrong neuron', /not proved/, replaced(4, split(0))],
    ['a neuron that the ReLU does not have', /neuron 2 of a ReLU that has 2/, replaced(1, split(2))],
    ['a neuron below 0', /not a whole number from 0/, replaced(1, split(-1))],
    ['half a neuron', /not a whole number from 0/, replaced(1, split(0.5))],
    ['a split at a node that is no ReLU', /"dense0", which is no ReLU/, replaced(1, split(1, 'dense0'))],
    ['a split at an unknown node', /"relu9", which is no ReLU/, replaced(1, split(1, 'relu9'))],
    ['a split with a sign', /unknown field "sign"/, replaced(1, { ...split(1), sign: 1 })],
    ['a multiplier below 0', /multiplier is below 0/, replaced(3, leaf(2, -1))],
    ['a multiplier that is NaN', /multipliers\[\d\] is not a number/, replaced(3, leaf(2, Number.NaN))],
    ['a multiplier that is text', /multipliers\[\d\] is not a number/, replaced(3, leaf('2', 0))],
    ['a multiplier that overflows', /not proved/, replaced(3, leaf(1e308, 1e308))],
    ['another multiplier', /not proved/, replaced(3, leaf(0, 0))],
    ['the multiplier of another split', /not proved/, replaced(3, leaf(0, 2))],
    ['one multiplier too few', /one multiplier for each split/, replaced(3, leaf(2))],
    ['one multiplier too many', /one multiplier for each split/, replaced(3, leaf(2, 0, 0))],
    ['slopes of no neuron', /1 slopes for 0 neurons/, replaced(3, { ...leaf(2, 0), slopes: 'AA==' })],
    ['too few slopes', /0 slopes for 1 neurons/, TREE, { relu: [0] }],
    ['slopes of neurons that are not there', /neuron 2 of a ReLU/, TREE, { relu: [2] }],
    ['slopes of an unknown ReLU', /"x", which is no ReLU/, TREE, { x: [] }],
    ['an inequality that is not there', /inequality 1 of a case that has 1/, replaced(3, { ...leaf(2, 0), row: 1 })],
    ['a side that is neither', /has no "row"/, { ...split(0), sides: [leaf(0), {}] }],
    ['a side that is no object', /not an object/, { ...split(0), sides: [leaf(0), 1] }],
    ['no sides', /has no "sides"/, split(0)],
    ['a leaf with the fields of a split', /unknown field|has no/, replaced(3, { ...leaf(2, 0), ...split(1) })],
  ])('is refused with %s', async (_, reason, entries, neurons) => {
    const verdict = await check(withTree(entries, neurons));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });

  it('may be deep, and is refused where it is so deep that it cannot be read', async () => {
    const one = JSON.stringify(leaf());
    const [before, after] = JSON.stringify(withTree(leaf())).split(one);
    const deep = (depth: number) =>
      `${`{"relu":"relu","neuron":0,"sides":[${one},`.repeat(depth)}${one}${']}'.repeat(depth)}`;
    const reasonAt = async (depth: number) =>
      (await checkCertificate(`${before}${deep(depth)}${after}`, async () => file)).reason;
    expect(await reasonAt(1000)).toMatch(/one multiplier for each split/);
    expect(await reasonAt(100_000)).toMatch(/call stack/);
  });

  it('is refused where a class has none', async () => {
    const data = withTree(TREE);
    for (const cases of [[], [nested(TREE), nested(TREE)]]) {
      const verdict = await check({ ...data, evidence: [{ ...tree(TREE), cases }] });
      expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(/trees for 1 cases/) });
    }
  });

  it('is refused where one of its margins is infinite: it overflowed', async () => {
    // Logits relu(z) + 1/2 and 2 relu(-z) with z = x + 4: wrong for z < -1/4.
    const numbers = [1, -1, 4, -4, 1, 0, 0, 2, 0.5, 0];
    const next = () => numbers.shift()!;
    const wrong = new NetBuilder([1], next).dense(2).add('relu', [2], { name: 'relu' }).dense(2).build();
    const bytes = networkFile(wrong);
    const verdictOf = async (multiplier: number) => {
      const entries = [split(0), split(1), leaf(3, 0), leaf(1, 0), leaf(multiplier)];
      const data = certificate({ net: wrong, input: Float32Array.of(0), epsilon: '5', label: 0 });
      return checkCertificate(JSON.stringify({ ...data, evidence: [tree(entries)] }), async () => bytes);
    };
    expect((await verdictOf(0)).margins[0]).toBeLessThan(-1);
    for (const multiplier of [1e300, 6e307, 1e308, 1.7e308]) expect((await verdictOf(multiplier)).holds).toBe(false);
    expect((await verdictOf(1e308)).margins[0]).toBeNaN();
  });

  it('is refused after any change of a byte', async () => {
    const bytes = new TextEncoder().encode(sealed(withTree(TREE)));
    const checker = createChecker(async () => file);
    expect((await checker(new TextDecoder().decode(bytes))).holds).toBe(true);
    const accepted: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [1, 2, 4, 0x20]) {
        const damaged = bytes.slice();
        damaged[at]! ^= change;
        if ((await checker(new TextDecoder().decode(damaged))).holds) accepted.push(at);
      }
    }
    expect(accepted).toEqual([]);
  });
});

describe('a property of linear inequalities', () => {
  // y0 <= y1, written as a violation, on the box [0, 1] x [0, 1].
  const inequality = { coefficients: [1, -1], bound: '0' };
  const { input: _, perturbation: __, property: ___, ...rest } = certificate(claim);
  const data = (changes: { property?: object; perturbation?: object; evidence?: object; input?: object } = {}) => ({
    ...rest,
    input: { shape: [2] },
    perturbation: { kind: 'boxes', boxes: [{ lower: ['0', '0'], upper: ['1', '1'] }] },
    property: { kind: 'linear', classes: 2, cases: [[inequality]] },
    evidence: [tree(TREE)],
    ...changes,
  });
  const cases = (...list: readonly (readonly object[])[]) => ({ kind: 'linear', classes: 2, cases: list });

  it('holds on a box', async () => {
    const verdict = await check(data());
    expect(verdict).toMatchObject({ holds: true, property: 'a property of 1 cases within a box' });
    expect(verdict.margins[0]).toBeGreaterThan(0.1249);
  });

  it('is missed by the distance to its bound', async () => {
    const above = await check(data({ property: cases([{ ...inequality, bound: '0.0625' }]) }));
    expect(above.margins[0]).toBeCloseTo(0.0625, 5);
    const at = await check(data({ property: cases([{ ...inequality, bound: '0.125' }]) }));
    expect(at).toMatchObject({ holds: false, reason: expect.stringContaining('not proved') });
  });

  it('is shown case by case, by one of the inequalities of each', async () => {
    const impossible = { coefficients: [1, 0], bound: '-10' };
    const never = { coefficients: [1, 0], bound: '1000' };
    const property = cases([never, inequality], [impossible]);
    const second = TREE.map((entry) => ('row' in entry ? { ...entry, row: 1 } : entry));
    const evidence = (...trees: readonly object[]) => [{ ...tree(TREE), cases: trees }];
    const [first, one] = [nested(TREE), nested(second)];
    expect((await check(data({ property, evidence: evidence(one, leaf()) }))).holds).toBe(true);
    expect((await check(data({ property, evidence: evidence(first, leaf()) }))).holds).toBe(false);
    expect((await check(data({ property, evidence: evidence(leaf(), one) }))).holds).toBe(false);
  });

  it.each<[RegExp, Parameters<typeof data>[0]]>([
    [/cases has 0 items/, { property: cases(), evidence: [{ ...tree(TREE), cases: [] }] }],
    [/cases\[0\] has 0 items/, { property: cases([]) }],
    [/1 coefficients for 2 classes/, { property: cases([{ ...inequality, coefficients: [1] }]) }],
    [/coefficients\[1\] is not a number/, { property: cases([{ ...inequality, coefficients: [1, null] }]) }],
    [/neither a decimal nor a fraction/, { property: cases([{ ...inequality, bound: '1e-3' }]) }],
    [/unknown field "label"/, { property: { ...cases([inequality]), label: 0 } }],
    [/network has 2 classes/, { property: cases([{ coefficients: [1, -1, 0], bound: '0' }]) }],
    [/box does not have the shape/, { perturbation: { kind: 'boxes', boxes: [{ lower: ['0'], upper: ['1', '1'] }] } }],
    [
      /box does not have the shape/,
      { perturbation: { kind: 'boxes', boxes: [{ lower: ['0', '0'], upper: ['1', '1', '1'] }] } },
    ],
    [/of no use/, { perturbation: { kind: 'boxes', boxes: [{ lower: ['1', '0'], upper: ['0', '1'] }] } }],
    [
      /unknown field "epsilon"/,
      { perturbation: { kind: 'boxes', boxes: [{ lower: ['0', '0'], upper: ['1', '1'] }], epsilon: '0' } },
    ],
    [/unknown field "data"/, { input: { shape: [2], data: '' } }],
    [/network takes \[2\]/, { input: { shape: [1, 2] } }],
  ])('%s', async (reason, changes) => {
    const classes = changes?.property && 'cases' in changes.property && reason.source.startsWith('network has');
    const property = classes ? { property: { ...changes.property, classes: 3 } } : {};
    const verdict = await check(data({ ...changes, ...property }));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });
});
