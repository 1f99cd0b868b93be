/** The conformance suite catches unsound rules for an op of a plug-in, one of every kind that authors get wrong. */
import { CertError, fromCenterRadius, type Layer, type Tensor, tf } from '@cert/core';
import { boundMethodSuite, type Forward } from '@cert/testing';
import { describe, expect, it } from 'vitest';
import {
  type BackwardRule,
  boundMethod,
  type CenterRadius,
  coefficientsOf,
  crownIbpOf,
  extendRules,
  type ForwardRule,
  ibp,
  naturalPass,
  type OpRules,
  type Rules,
  standardRules,
  toRows,
} from './index.js';

declare module '@cert/core' {
  interface OpMap {
    distance: { attrs: object; params: never; stats: never };
  }
}

/** |x|: not monotone, so that every mistake with ends and crossings is possible. */
const distance: Layer<'distance'> = { op: 'distance', attrs: {}, infer: (shape) => ({ shape, params: {}, stats: {} }) };

const ends = ({ center, radius }: CenterRadius) => ({ lower: tf.sub(center, radius), upper: tf.add(center, radius) });
const fromEnds = (lower: Tensor, upper: Tensor): CenterRadius => ({
  center: tf.mul(tf.add(lower, upper), 0.5),
  radius: tf.mul(tf.sub(upper, lower), 0.5),
});
const least = ({ lower, upper }: { lower: Tensor; upper: Tensor }) => tf.add(tf.relu(lower), tf.relu(tf.neg(upper)));
const most = ({ lower, upper }: { lower: Tensor; upper: Tensor }) => tf.maximum(tf.neg(lower), upper);

type Forwards = ForwardRule<'distance', CenterRadius>;
type Backwards = BackwardRule<'distance'>;

const ibpRule: Forwards = (_node, _params, _context, x) => fromEnds(least(ends(x)), most(ends(x)));

/** Lines slope * x (+ intercept) below and above |x| on [l, u], as a backward rule applies them. */
type Lines = { readonly lower: Tensor; readonly upper: Tensor; readonly intercept: Tensor };
const linesOf = (lower: Tensor, upper: Tensor): Lines => {
  const width = tf.maximum(tf.sub(upper, lower), 1e-8);
  const slope = tf.maximum(tf.minimum(tf.div(tf.add(upper, lower), width), 1), -1);
  return { lower: slope, upper: slope, intercept: tf.mul(tf.relu(upper), tf.sub(1, slope)) };
};

const backwardRule =
  (lines: (lower: Tensor, upper: Tensor) => Lines, swapped = false): Backwards =>
  (node, _params, { at }, rows) => {
    const box = at[node.inputs[0]!]!;
    const { lower, upper, intercept } = lines(box.lower, box.upper);
    const own = coefficientsOf(rows);
    const [plus, minus] = [tf.relu(own), tf.minimum(own, 0)];
    const perRow = (x: Tensor) => tf.expandDims(x, 1);
    const left = tf.mul(swapped ? plus : minus, perRow(intercept));
    return {
      inputs: [toRows(tf.add(tf.mul(plus, perRow(lower)), tf.mul(minus, perRow(upper))))],
      bias: tf.sum(left, Array.from(left.shape.keys()).slice(2)),
    };
  };

const right: OpRules<'distance'> = {
  natural: (_node, _params, _context, x) => tf.abs(x),
  ibp: ibpRule,
  linearRelaxation: backwardRule(linesOf),
};

const forward: Forward = (network, images) => {
  const { natural } = extendRules(standardRules, { distance: right });
  return naturalPass(network, images, natural);
};
const methods = {
  ibp: ({ ibp }: Rules) => ibp,
  crownIbp: ({ ibp, linearRelaxation }: Rules) => crownIbpOf({ forward: ibp, backward: linearRelaxation }),
};
const suiteOf = (method: keyof typeof methods, rules: OpRules<'distance'>) =>
  boundMethodSuite({
    method: methods[method](extendRules(standardRules, { distance: rules })),
    forward,
    layers: [distance],
    ops: ['dense'],
    exactOn: method === 'ibp' ? 'layers' : 'output',
  }).filter(({ name }) => name.includes('distance'));

describe.each(['ibp', 'crownIbp'] as const)('the right rules pass, %s', (method) => {
  for (const { name, run } of suiteOf(method, right)) it(name, run);
});

/** The first failure of a suite. */
async function firstFailure(method: keyof typeof methods, rules: OpRules<'distance'>): Promise<unknown> {
  for (const { run } of suiteOf(method, rules)) {
    const error: unknown = await run().catch((caught: unknown) => caught);
    if (error !== undefined) return error;
  }
  return 'nothing was found';
}

describe('a planted forward rule is caught, with node, values, amount and point', () => {
  const unsound =
    /model "distance on (vectors|images)".*node "distance1".*outside the bounds.*, by .*, at the point \[/;
  it.each<[string, (box: ReturnType<typeof ends>, x: CenterRadius) => CenterRadius, string, RegExp]>([
    ['the lower bound too high', (b) => fromEnds(tf.add(least(b), 0.01), most(b)), 'unsound', unsound],
    ['the upper bound too low', (b) => fromEnds(least(b), tf.sub(most(b), 0.01)), 'unsound', unsound],
    [
      'no lower bound 0 where the sign changes',
      ({ lower, upper }) =>
        fromEnds(tf.minimum(tf.abs(lower), tf.abs(upper)), tf.maximum(tf.abs(lower), tf.abs(upper))),
      'unsound',
      unsound,
    ],
    [
      'the ends taken as they come',
      ({ lower, upper }) => fromEnds(tf.abs(lower), tf.abs(upper)),
      'unsound',
      /node "distance1"/,
    ],
    [
      'a radius that forgets the slope',
      (_b, x) => ({ center: tf.abs(x.center), radius: tf.mul(x.radius, 0.5) }),
      'unsound',
      unsound,
    ],
    [
      'NaN at radius 0',
      (b, { radius }) => fromEnds(least(b), tf.mul(most(b), tf.div(radius, radius))),
      'unsound',
      /NaN/,
    ],
    [
      'a gradient that is none',
      (b) => {
        const cut = tf.customGrad((x) => ({
          value: tf.clone(x as Tensor),
          gradFunc: (dy: Tensor) => tf.zerosLike(dy),
        }));
        return fromEnds(least(b), cut(most(b)));
      },
      'broken-contract',
      /by the gradient but .* by finite differences/,
    ],
  ])('%s', async (_name, rule, code, message) => {
    const found = await firstFailure('ibp', { ...right, ibp: (_node, _params, _context, x) => rule(ends(x), x) });
    expect(found).toBeInstanceOf(CertError);
    expect(found).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('a planted backward rule is caught', () => {
  const unsound = /node "\(output\)".*(outside the bounds.*the rules for .*distance|lower is .* and upper )/s;
  it.each<[string, Backwards]>([
    ['no intercept', backwardRule((l, u) => ({ ...linesOf(l, u), intercept: tf.zerosLike(l) }))],
    [
      'the upper line below the chord',
      backwardRule((l, u) => {
        const lines = linesOf(l, u);
        return { ...lines, intercept: tf.mul(lines.intercept, 0.9) };
      }),
    ],
    [
      'the lower line too steep',
      backwardRule((l, u) => {
        const lines = linesOf(l, u);
        return { ...lines, lower: tf.mul(lines.lower, 1.2) };
      }),
    ],
    ['the intercept for the wrong sign of the rows', backwardRule(linesOf, true)],
    [
      'upper and lower swapped',
      (node, params, context, rows) => {
        const step = backwardRule(linesOf)(node, params, context, rows);
        return { ...step, bias: tf.neg(step.bias!) };
      },
    ],
    [
      'the slope of the center',
      backwardRule((l, u) => {
        const slope = tf.sign(tf.add(l, u));
        return { lower: slope, upper: slope, intercept: tf.zerosLike(l) };
      }),
    ],
    ['the plain op on the rows', (_node, _params, _context, rows) => ({ inputs: [rows] })],
  ])('%s', async (_name, linearRelaxation) => {
    const found = await firstFailure('crownIbp', { ...right, linearRelaxation });
    expect(found).toBeInstanceOf(CertError);
    expect(found).toMatchObject({ code: 'unsound', message: expect.stringMatching(unsound) });
  });
});

describe('a planted mistake of the method itself is caught', () => {
  it.each<[string, Partial<typeof ibp>, RegExp]>([
    [
      'an interval that forgets a part of the element',
      { concretize: ({ center, radius }) => fromCenterRadius(center, tf.mul(radius, 0.9)) },
      /node "dense1".*lies outside the bounds/,
    ],
    [
      'an interval on one side',
      { concretize: ({ center, radius }) => ({ lower: center, upper: tf.add(center, radius) }) },
      /node "dense1".*lies outside the bounds/,
    ],
    [
      'a box that is too small from the start',
      { lift: ({ lower, upper }) => fromEnds(lower, tf.add(tf.mul(upper, 0.9), tf.mul(lower, 0.1))) },
      /outside/,
    ],
    [
      'a specification without |W|',
      {
        specify: (kernel, bias, x) => ({
          ...ibp.specify(kernel, bias, x),
          radius: ibp.specify(kernel, tf.zerosLike(bias), { center: x.radius, radius: x.radius }).center,
        }),
      },
      /margins/,
    ],
  ])('%s', async (_name, change, message) => {
    const method = boundMethod({ ...ibp, ...change });
    const cases = boundMethodSuite({ method, forward: naturalPass, ops: ['dense', 'relu'] });
    const errors: unknown[] = [];
    for (const { run } of cases) errors.push(await run().catch((caught: unknown) => caught));
    expect(errors.find((error) => error !== undefined)).toMatchObject({
      code: 'unsound',
      message: expect.stringMatching(message),
    });
  });
});
