/** Sets of inputs other than one box: Euclidean balls and unions of boxes; and networks with one output. */
import { describe, expect, it } from 'vitest';
import { exactIbp, less, minus, of } from '../test/fractions.ts';
import { ahead, usual } from '../test/leaves.ts';
import { type Claim, certificate, NetBuilder, networkFile, seeded, sizeOf } from '../test/make.ts';
import { smallNet } from '../test/nets.ts';
import { checkCertificate } from './check.js';
import { readCheckpoint } from './checkpoint.js';
import { networkOf } from './graph.js';
import { marginBound, propagate } from './linear.js';

const LINEAR = { kind: 'linear', intermediate: 'ibp' };
/** logits [x + 2y, 0] */
const KERNEL = [1, 0, 2, 0];
const plain = new NetBuilder([2], () => 0)
  .dense(
    2,
    () => KERNEL.shift()!,
    () => 0,
  )
  .build();
const claim: Claim = { net: plain, input: Float32Array.of(1, 2), label: 0, level: 'deployed' };
const check = (data: object, net = plain) => checkCertificate(JSON.stringify(data), async () => networkFile(net));

describe('a Euclidean ball', () => {
  const ball = (epsilon: string, range: unknown = null, evidence: object = LINEAR) => ({
    ...certificate(claim),
    perturbation: { kind: 'l2', epsilon, range },
    evidence: [evidence],
  });

  it('has the exact margin of a linear network', async () => {
    const verdict = await check(ball('2.2'));
    expect(verdict).toMatchObject({ holds: true, property: 'label 0 within 2.2 in l2' });
    // x + 2y is 5 at the center and changes by 2.2 times the length of (1, 2).
    expect(verdict.margins[0]).toBeLessThan(5 - 2.2 * Math.sqrt(5));
    expect(verdict.margins[0]).toBeCloseTo(5 - 2.2 * Math.sqrt(5), 4);
    expect(await check(ball('2.237'))).toMatchObject({ holds: false, reason: expect.stringMatching(/not proved/) });
    // The box around the ball has a smaller margin.
    expect((await check({ ...ball('2.2'), perturbation: { kind: 'linf', epsilon: '2.2', range: null } })).holds).toBe(
      false,
    );
  });

  it('ends at the range', async () => {
    expect((await check(ball('3'))).holds).toBe(false);
    expect(await check(ball('3', ['0.5', '4']))).toMatchObject({ holds: true, margins: [expect.closeTo(1.5, 4)] });
  });

  it('is refused with a negative radius', async () => {
    expect(await check(ball('-1'))).toMatchObject({ holds: false, reason: 'epsilon is below 0' });
  });

  it.each([1, 2, 4])('has bounds below the exact margins of points of it, net %i', async (seed) => {
    const random = seeded(seed + 500);
    const net = smallNet(seed, 1);
    const { layers } = await networkOf(readCheckpoint(networkFile(net)));
    const center = Float64Array.from({ length: sizeOf(net.inputShape) }, () => Math.fround(random()));
    const radius = 0.25;
    const around = { lower: center.map((c) => c - radius), upper: center.map((c) => c + radius) };
    const values = propagate(layers, { ...around, ball: { center, radius } }, 'real');
    const [row, inBox] = [ahead(3, 1, 0), propagate(layers, around, 'real')];
    const bound = marginBound(layers, values, 'real', row, usual);
    expect(bound).toBeGreaterThanOrEqual(marginBound(layers, inBox, 'real', row, usual));
    for (let sample = 0; sample < 10; sample++) {
      const direction = center.map(() => (sample % 2 === 0 ? random() * 2 - 1 : Math.sign(random() - 0.5)));
      const length = Math.hypot(...direction) / radius / (1 - 1e-12);
      const point = [...center].map((c, i) => of(c + direction[i]! / length));
      const logits = exactIbp(net, { lower: point, upper: point }, 1).values.get(net.nodes.at(-1)!.name)!.lower;
      expect(less(minus(logits[1]!, logits[0]!), of(bound))).toBe(false);
    }
  });
});

describe('several boxes', () => {
  const box = (...ends: [string, string][]) => ({ lower: ends.map(([l]) => l), upper: ends.map(([, u]) => u) });
  const good = box(['1', '2'], ['1', '1.5']);
  const other = box(['0', '0.5'], ['3', '4']);
  const bad = box(['-5', '0'], ['1', '2']);
  const of = (boxes: object[], evidence: object = boxes.map(() => ({ kind: 'ibp' }))) => ({
    ...certificate(claim),
    input: { shape: [2] },
    perturbation: { kind: 'boxes', boxes },
    evidence,
  });

  it('hold where each of them holds, with evidence of its own', async () => {
    const verdict = await check(of([good, other]));
    expect(verdict).toMatchObject({ holds: true, property: 'label 0 within 2 boxes' });
    expect(verdict.margins).toEqual([expect.closeTo(3, 4)]);
    expect((await check(of([good, other], [{ kind: 'ibp' }, LINEAR]))).holds).toBe(true);
    expect((await check(of([good], [{ kind: 'ibp' }]))).holds).toBe(true);
  });

  it.each<[RegExp, object]>([
    [/not proved/, of([good, bad])],
    [/not proved/, of([bad, good])],
    [/boxes has 0 items/, of([])],
    [/evidence of 1 boxes, not of 2/, of([good, other], [LINEAR])],
    [/evidence is not a list/, of([good, other], { kind: 'ibp' })],
    [/evidence of 2 boxes, not of 1/, of([good], [LINEAR, LINEAR])],
    [/shape/, of([good, box(['0', '1'])])],
    [/unknown field "kind"/, of([good, { ...other, kind: 'box' }])],
    [/of no use/, of([good, box(['1', '0'], ['0', '1'])])],
  ])('refused: %s', async (reason, data) => {
    expect(await check(data)).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });
});

describe('a network with one output', () => {
  const net = new NetBuilder([2], () => 0)
    .dense(
      1,
      () => 1,
      () => 0,
    )
    .build();
  const between = (least: string, most: string) => ({
    ...certificate({ ...claim, net, epsilon: '0.25' }),
    property: {
      kind: 'linear',
      classes: 1,
      cases: [[{ coefficients: [1], bound: least }], [{ coefficients: [-1], bound: `-${most}` }]],
    },
    evidence: [{ kind: 'ibp' }],
  });

  it('has an output in an interval', async () => {
    expect(await check(between('2.4', '3.6'), net)).toMatchObject({ holds: true });
    expect(await check(between('2.4', '3.4'), net)).toMatchObject({ holds: false });
    expect(await check(between('2.6', '3.6'), net)).toMatchObject({ holds: false });
  });

  it('has no label, since no other class could win', async () => {
    const data = { ...between('2', '4'), property: { kind: 'label', label: 0, classes: 1 } };
    expect(await check(data, net)).toMatchObject({ holds: false, reason: expect.stringMatching(/classes/) });
  });
});
