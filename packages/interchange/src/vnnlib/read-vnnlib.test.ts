import { CertError, createRng, type Property, type Rng } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { readVnnlib } from './read-vnnlib.js';

const declared = (inputs: number, outputs: number) =>
  [
    ...Array.from({ length: inputs }, (_, i) => `(declare-const X_${i} Real)`),
    ...Array.from({ length: outputs }, (_, i) => `(declare-const Y_${i} Real)`),
  ].join('\n');

/** One input from 0 to 1, two outputs, and some assertions. */
const simple = (assertions: string) =>
  readVnnlib(`${declared(1, 2)}\n(assert (>= X_0 0))(assert (<= X_0 1))\n${assertions}`);

/** Outputs of the first case as plain numbers: coefficients and bound. */
const outputsOf = (property: ReturnType<typeof readVnnlib>) =>
  property.cases[0]!.outputs.map(({ coefficients, bound }) => [[...coefficients], bound]);

function problemOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CertError && error.code === 'bad-file') return error.problem;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A text with what it says of a point: the truth of a formula, the value of a term. */
interface Written<T> {
  readonly text: string;
  readonly at: (inputs: readonly number[], outputs: readonly number[]) => T;
}

function randomTerm(rng: Rng, side: 'X' | 'Y', depth: number): Written<number> {
  const kind = depth === 0 ? rng.int(2) : rng.int(4);
  if (kind === 0) {
    const i = rng.int(2);
    return { text: `${side}_${i}`, at: (x, y) => (side === 'X' ? x : y)[i]! };
  }
  const number = rng.int(9) - 4;
  if (kind === 1) return { text: number < 0 ? `(- ${-number})` : `${number}.0`, at: () => number };
  const [a, b] = [randomTerm(rng, side, depth - 1), randomTerm(rng, side, depth - 1)];
  if (kind === 2) return { text: `(+ ${a.text} ${b.text} 1)`, at: (x, y) => a.at(x, y) + b.at(x, y) + 1 };
  return { text: `(- ${a.text} ${b.text})`, at: (x, y) => a.at(x, y) - b.at(x, y) };
}

/** Inputs are compared with numbers, so that sets of them are boxes. */
function randomFormula(rng: Rng, depth: number): Written<boolean> {
  if (depth > 0 && rng.int(3) > 0) {
    const parts = Array.from({ length: 1 + rng.int(3) }, () => randomFormula(rng, depth - 1));
    const and = rng.int(2) === 0;
    return {
      text: `(${and ? 'and' : 'or'} ${parts.map(({ text }) => text).join(' ')})`,
      at: (x, y) => (and ? parts.every((part) => part.at(x, y)) : parts.some((part) => part.at(x, y))),
    };
  }
  const isInput = rng.int(3) === 0;
  const right = rng.int(9) - 4;
  const [a, b]: [Written<number>, Written<number>] = isInput
    ? [randomTerm(rng, 'X', 0), { text: `${right}`, at: () => right }]
    : [randomTerm(rng, 'Y', 2), randomTerm(rng, 'Y', 2)];
  const operator = ['<=', '>=', '<', '>', '='][rng.int(5)]!;
  return {
    text: `(${operator} ${a.text} ${b.text})`,
    at(x, y) {
      const [left, other] = [a.at(x, y), b.at(x, y)];
      if (operator === '=') return left === other;
      return operator.startsWith('<') ? left <= other : left >= other;
    },
  };
}

const isViolated = ({ cases }: Property, x: readonly number[], y: readonly number[]): boolean =>
  cases.some(
    ({ lower, upper, outputs }) =>
      x.every((v, i) => v >= lower[i]! && v <= upper[i]!) &&
      outputs.every(({ coefficients, bound }) => coefficients.reduce((sum, c, i) => sum + c * y[i]!, 0) <= bound),
  );

describe('readVnnlib', () => {
  it.each(Array.from({ length: 200 }, (_, seed) => seed))('says of points what random formulas say: %i', (seed) => {
    const rng = createRng(seed, 'formulas');
    const formulas = Array.from({ length: 1 + rng.int(2) }, () => randomFormula(rng, 3));
    const box = '(assert (and (<= X_0 9) (>= X_0 -9) (<= X_1 9) (>= X_1 -9)))';
    const asserts = formulas.map(({ text }) => `(assert ${text})`).join('\n');
    const property = readVnnlib(`${declared(2, 2)}${box}${asserts}`);
    for (let i = 0; i < 100; i++) {
      // Halves: many points lie on the borders of comparisons.
      const [x, y] = [0, 1].map(() => [0, 1].map(() => (rng.int(25) - 12) / 2)) as [number[], number[]];
      expect([x, y, isViolated(property, x, y)]).toEqual([x, y, formulas.every((formula) => formula.at(x, y))]);
    }
  });

  it('reads a box and a conjunction', () => {
    const property = readVnnlib(`; a comment
      (declare-const X_0 Real) ; another (one
      (declare-const X_1 Real)
      (declare-const Y_0 Real)
      (declare-const Y_1 Real)
      (assert (<= X_0 0.5)) (assert (>= X_0 -2.5e-1))
      (assert (and (<= X_1 (- 1)) (>= X_1 -1.5)))
      (assert (<= Y_0 Y_1))
      (assert (>= Y_1 3.25))`);
    expect(property).toEqual({
      inputs: 2,
      outputs: 2,
      cases: [
        {
          lower: Float64Array.of(-0.25, -1.5),
          upper: Float64Array.of(0.5, -1),
          outputs: [
            { coefficients: Float64Array.of(1, -1), bound: 0 },
            { coefficients: Float64Array.of(0, -1), bound: -3.25 },
          ],
        },
      ],
    });
  });

  it('takes a text in quotes or between bars for one word', () => {
    const plain = simple('(assert (>= Y_0 5))');
    for (const text of [
      '"x) (assert (<= Y_0 -1000)) (set-info :y z"',
      '|x) (assert (<= Y_0 -1000)) (set-info :y ; z|',
    ]) {
      expect(simple(`(set-info :source ${text})(assert (>= Y_0 5))`)).toEqual(plain);
      expect(simple(`(set-info :source${text})(assert (>= Y_0 5))`)).toEqual(plain);
      expect(problemOf(() => simple(`(set-info :source ${text.slice(0, -1)})(assert (>= Y_0 5))`))).toContain(
        'the end of the file',
      );
    }
  });

  it('makes a case of each alternative, and shares the box where inputs are the same', () => {
    const property = simple('(assert (or (and (>= Y_0 Y_1)) (and (>= Y_1 2) (<= Y_0 1)) (<= Y_1 0)))');
    expect(property.cases.map(({ outputs }) => outputs.length)).toEqual([1, 2, 1]);
    expect(property.cases[2]!.lower).toBe(property.cases[0]!.lower);
  });

  it('combines alternatives of inputs and of outputs', () => {
    const property = simple(`
      (assert (or (and (<= X_0 0.25)) (and (>= X_0 0.5) (<= X_0 0.75))))
      (assert (or (<= Y_0 Y_1) (<= Y_1 2)))`);
    expect(property.cases.map(({ lower, upper, outputs }) => [lower[0], upper[0], outputs[0]!.bound])).toEqual([
      [0, 0.25, 0],
      [0, 0.25, 2],
      [0.5, 0.75, 0],
      [0.5, 0.75, 2],
    ]);
  });

  it('normalizes what is nested', () => {
    const property = simple(
      '(assert (and (or (and (or (<= Y_0 1) (<= Y_0 2)) (<= Y_1 3)) (<= Y_1 4)) (or (<= Y_0 5) (<= Y_0 6))))',
    );
    expect(property.cases.map(({ outputs }) => outputs.map(({ bound }) => bound).sort())).toEqual([
      [1, 3, 5],
      [1, 3, 6],
      [2, 3, 5],
      [2, 3, 6],
      [4, 5],
      [4, 6],
    ]);
  });

  it('reads linear terms of outputs', () => {
    expect(outputsOf(simple('(assert (<= (+ (* 2 Y_0) (* Y_1 -0.5) 1) 4))'))).toEqual([[[2, -0.5], 3]]);
    expect(outputsOf(simple('(assert (>= (- Y_0 Y_1) 0.5))'))).toEqual([[[-1, 1], -0.5]]);
    expect(outputsOf(simple('(assert (<= (- Y_0) (+ Y_1 Y_1)))'))).toEqual([[[-1, -2], 0]]);
    expect(outputsOf(simple('(assert (<= (* 3 (- Y_0 1)) 0))'))).toEqual([[[3, 0], 3]]);
    expect(outputsOf(simple('(assert (<= 0 Y_0 1))'))).toEqual([
      [[-1, 0], 0],
      [[1, 0], 1],
    ]);
  });

  it('reads strict comparisons as those that allow equality, and equations as two', () => {
    expect(outputsOf(simple('(assert (< Y_0 1))'))).toEqual([[[1, 0], 1]]);
    expect(outputsOf(simple('(assert (> Y_0 1))'))).toEqual([[[-1, 0], -1]]);
    expect(outputsOf(simple('(assert (= Y_0 1))'))).toEqual([
      [[1, 0], 1],
      [[-1, 0], -1],
    ]);
  });

  it('rounds what it computes towards more violations', () => {
    // 0.1 + 0.2 is 0.30000000000000004 in float64 and 0.3000000000000000166... exactly.
    const [[, bound]] = outputsOf(simple('(assert (<= Y_0 (+ 0.1 0.2)))')) as [[number[], number]];
    expect(bound).toBe(0.1 + 0.2);
    const [[, negative]] = outputsOf(simple('(assert (>= Y_0 (+ 0.1 0.2)))')) as [[number[], number]];
    expect(negative).toBeGreaterThan(-(0.1 + 0.2));
    expect(negative).toBe(-0.3);
    const { lower, upper } = simple('(assert (<= (* 3 X_0) 1)) (assert (>= (* 3 X_0) 1))').cases[0]!;
    expect([lower[0]! < 1 / 3, upper[0]! > 1 / 3, upper[0]! - lower[0]! < 1e-15]).toEqual([true, true, true]);
  });

  it('leaves out cases whose box is empty', () => {
    expect(simple('(assert (or (and (>= X_0 2) (<= Y_0 1)) (<= Y_1 0)))').cases).toHaveLength(1);
    expect(simple('(assert (>= X_0 2))').cases).toEqual([]);
    expect(simple('(assert (<= 1 0))').cases).toEqual([]);
    expect(simple('(assert (or (<= 1 0) (<= 0 1)))').cases).toHaveLength(1);
  });

  it('takes every input of the box for a violation where nothing is said of outputs', () => {
    expect(simple('').cases).toEqual([{ lower: Float64Array.of(0), upper: Float64Array.of(1), outputs: [] }]);
  });

  it('reads one network of version 2.0', () => {
    const property = readVnnlib(`(vnnlib-version <2.0>)
      (declare-network N (declare-input X real [1,2]) (declare-output Y float32 [3]))
      (assert (and (>= X[0,0] 0) (<= X[0, 0] 1) (>= X [0,1] 2) (<= X[0,1] 3)))
      (assert (or (<= Y[0] Y[2]) (> Y[1] 4.5)))`);
    expect(property).toMatchObject({ inputs: 2, outputs: 3 });
    expect(property.cases.map(({ upper }) => [...upper])).toEqual([
      [1, 3],
      [1, 3],
    ]);
    expect([...property.cases[0]!.outputs[0]!.coefficients]).toEqual([1, 0, -1]);
    const { lower } = readVnnlib(`(vnnlib-version <2.0>)
      (declare-network f (declare-input In real [2,2]) (declare-output Out real []))
      (assert (and (= In[0,0] 0) (= In[0,1] 1) (= In[1,0] 2) (= In[1,1] 3) (<= Out 1)))`).cases[0]!;
    expect([...lower]).toEqual([0, 1, 2, 3]);
  });

  it('reads a sum of many terms', () => {
    const count = 20_000;
    const sum = Array.from({ length: count }, (_, i) => `(* ${i + 1} Y_${i})`).join(' ');
    const property = readVnnlib(`${declared(1, count)} (assert (and (= X_0 0) (<= (+ ${sum}) 1)))`);
    expect(property.cases[0]!.outputs[0]!.coefficients.at(-1)).toBe(count);
  });

  it('reads half a million assertions', () => {
    const count = 250_000;
    const bounds = Array.from({ length: count }, (_, i) => `(assert (<= X_${i} 0.${i}))\n(assert (>= X_${i} -1e-3))`);
    const property = readVnnlib(`${declared(count, 1)}\n${bounds.join('\n')}\n(assert (<= Y_0 0))`);
    expect(property.cases[0]!.upper[1234]).toBe(0.1234);
  });

  it.each([
    ['(assert (<= X_0 Z))', 'Line 5, column 17', '"Z" is neither'],
    ['(assert (<= X_0 Y_0))', 'Line 5, column 10', 'an input with an output'],
    ['(assert (<= Y_0 1)', 'Line 5, column 19', 'the end of the file'],
    ['(assert (<= Y_0 1)))', 'Line 5, column 20', '")"'],
    ['(assert (not (<= Y_0 1)))', 'Line 5, column 10', '"not"'],
    ['(assert (<= Y_0 1e999))', 'Line 5, column 17', 'exceeds float64'],
    ['(assert (<= (- (+ 1e308 1e308) (+ 1e308 1e308)) 0))', 'Line 5, column 10', 'exceeds float64'],
    ['(assert (<= Y_0 0x10))', 'Line 5, column 17', 'neither a number'],
    ['(assert (<= Y_0 NaN))', 'Line 5, column 17', 'neither a number'],
    ['(assert (<= (* Y_0 Y_1) 1))', 'Line 5, column 14', 'product of variables'],
    ['(assert (<= Y_0))', 'Line 5, column 10', '1 terms'],
    ['(assert (or))', 'Line 5, column 10', 'of nothing'],
    ['(assert (<= (* 0.1 (* 0.3 Y_0)) 1))', 'Line 5, column 14', 'coefficients of Y_0'],
    ['(assert (<= (+ (* 0.1 Y_0) (* 0.2 Y_0)) 1))', 'Line 5, column 14', 'coefficients of Y_0'],
    ['(push 1)', 'Line 5, column 1', 'the command "push"'],
    ['(check-sat)(assert (<= Y_0 1))', 'Line 5, column 12', 'after check-sat'],
    ['(declare-const X_0 Real)', 'Line 5, column 16', 'declared twice'],
    ['(declare-const X_2 Real)', 'Line 5', 'X_1 is missing'],
    ['(declare-const X_1 Real)', 'Line 5', 'X_1 has no lower bound'],
    ['(declare-const X_1 Int)', 'Line 5, column 20', '"Int"'],
    ['(declare-const Z_1 Real)', 'Line 5, column 16', '"Z_1"'],
    ['(vnnlib-version <2.0>)', 'Line 5, column 1', '2.0 in a file of 1.0'],
    [`(assert ${'(and '.repeat(5000)}`, 'Line 5', 'more than 200 nested parentheses'],
    [`(assert (<= ${'(- '.repeat(5000)}`, 'Line 5', 'more than 200 nested parentheses'],
  ])('says that the file is wrong at %#', (assertion, where, problem) => {
    const said = problemOf(() => simple(assertion));
    expect(said).toContain(where);
    expect(said).toContain(problem);
  });

  it('refuses a comparison of two inputs and inputs without bounds in one of the cases', () => {
    const two = `${declared(2, 1)} (assert (<= X_0 1)) (assert (>= X_0 0))`;
    expect(problemOf(() => readVnnlib(`${two} (assert (<= X_0 X_1))`))).toContain('the inputs X_0,X_1');
    expect(problemOf(() => readVnnlib(`${two} (assert (or (= X_1 1) (<= X_1 2)))`))).toContain(
      'X_1 has no lower bound',
    );
  });

  it('refuses files that only declare, and empty ones', () => {
    expect(problemOf(() => readVnnlib(''))).toContain('no input');
    expect(problemOf(() => readVnnlib('(declare-const X_0 Real)'))).toContain('no output');
    expect(problemOf(() => readVnnlib(declared(1, 1)))).toContain('X_0 has no lower bound');
  });

  it('refuses more cases than anyone can check, soon', () => {
    const or = '(assert (or (<= Y_0 1) (<= Y_1 1)))';
    expect(problemOf(() => simple(or.repeat(40)))).toContain('too many cases to fit');
    expect(simple('(assert (or (and (<= Y_0 1)) (<= 1 0)))'.repeat(20_000)).cases).toHaveLength(1);
  });

  it.each([
    ['(vnnlib-version <3.0>)', '<3.0>'],
    ['(declare-network N (declare-input X real [1]) (declare-output Y real [1]))', 'declare-network'],
    ['(vnnlib-version <2.0>) (assert (<= 1 0))', 'before declare-network'],
    ['(vnnlib-version <2.0>) (declare-network N (declare-input X real [1]))', 'no declare-output'],
    ['(vnnlib-version <2.0>) (declare-network N (declare-input X int8 [1]))', '"int8"'],
    ['(vnnlib-version <2.0>) (declare-network N (declare-input X real [0]))', '"[0]"'],
    ['(vnnlib-version <2.0>) (declare-network N (declare-hidden H real [1]))', 'declare-hidden'],
    [
      '(vnnlib-version <2.0>) (declare-network N (declare-input X real [1]) (declare-input Z real [1]))',
      'second input',
    ],
    [
      '(vnnlib-version <2.0>) (declare-network N (declare-input X real [2]) (declare-output Y real [1])) (assert (<= X[2] 1))',
      'the index [2]',
    ],
    [
      '(vnnlib-version <2.0>) (declare-network N (declare-input X real [2]) (declare-output Y real [1])) (assert (<= X 1))',
      'without an index',
    ],
    [
      '(vnnlib-version <2.0>) (declare-network N (declare-input X real [2]) (declare-output Y real [1])) (assert (<= Y[0] 1))',
      'X[0] has no lower bound',
    ],
  ])('refuses of version 2.0: %s', (text, problem) => {
    expect(problemOf(() => readVnnlib(text))).toContain(problem);
  });
});
