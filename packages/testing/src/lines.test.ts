import { CertError, type IntervalTensor, mask, type Tensor, tf } from '@cert/core';
import { cpuDevice } from '@cert/jit/node';
import { describe, expect, it } from 'vitest';
import { linesSuite, type TestedLines } from './index.js';

/** Lines of a ReLU: the chord above, and a slope of 0 or 1 below. */
function right({ lower, upper }: IntervalTensor): Required<Omit<TestedLines, 'lowerIntercept'>> {
  const [above, below] = [tf.relu(upper), tf.relu(tf.neg(lower))];
  const width = tf.add(above, below);
  const upperSlope = tf.div(tf.add(above, tf.relu(tf.sub(1e-8, width))), tf.maximum(width, 1e-8));
  return {
    ...{ lowerSlope: mask(() => tf.greater(upperSlope, 0.5)), upperSlope, upperIntercept: tf.mul(upperSlope, below) },
    family: [
      { slope: mask(() => tf.greaterEqual(lower, 0)) },
      { slope: mask(() => tf.logicalOr(tf.greater(upper, 0), tf.greaterEqual(lower, 0))) },
    ],
  };
}
const f = (x: number) => Math.max(0, x);
const suiteOf = (lines: (box: IntervalTensor) => TestedLines) => linesSuite({ name: 'mine', f, lines });

describe('correct lines pass', () => {
  for (const { name, run } of suiteOf(right)) it(name, run);

  it('compiled, too', async () => {
    const device = await cpuDevice({ threads: 1 });
    const suite = linesSuite({ name: 'mine', f, lines: right, device });
    const compiled = suite.filter(({ name }) => name.endsWith(', compiled for cpu'));
    expect(compiled.length).toBe(6);
    for (const { run } of compiled) await run();
    expect(device.live).toBe(0);
    await device.dispose();
  });

  it('without a family', async () => {
    const without = (box: IntervalTensor): TestedLines => {
      const { family: _, ...usual } = right(box);
      return usual;
    };
    for (const { run } of suiteOf(without)) await run();
  });
});

const shifted = (x: Tensor, by: number) => tf.add(x, by);
const hidden: Tensor[] = [];
const wrong: readonly [string, string, string, RegExp, (box: IntervalTensor) => TestedLines][] = [
  [
    'too high below',
    'the line below is below',
    'unsound',
    /^mine, on \[.*\]: the line below, .* is .* at .*: the line is not below the function, by/,
    (box) => ({ ...right(box), lowerIntercept: tf.fill(box.lower.shape, 1e-3) }),
  ],
  [
    'too low above',
    'the line above is above',
    'unsound',
    /the line above, .*: the line is not above the function, by/,
    (box) => ({ ...right(box), upperIntercept: shifted(right(box).upperIntercept, -1e-3) }),
  ],
  [
    'the chord of an interval across 0, where there is none',
    'the line above is above',
    'unsound',
    /on \[-.*, -.*\]: the line above/,
    ({ lower, upper }) => {
      const slope = tf.div(upper, tf.maximum(tf.sub(upper, lower), 1e-8));
      return { lowerSlope: tf.zerosLike(lower), upperSlope: slope, upperIntercept: tf.neg(tf.mul(slope, lower)) };
    },
  ],
  [
    'below on one side of 0 alone',
    'the line below is below',
    'unsound',
    /the line below/,
    (box) => ({ ...right(box), lowerSlope: tf.fill(box.lower.shape, -0.5) }),
  ],
  [
    'exchanged',
    'the line below is below',
    'unsound',
    /the line below/,
    (box) => {
      const { upperSlope, upperIntercept, lowerSlope } = right(box);
      return { lowerSlope: upperSlope, lowerIntercept: upperIntercept, upperSlope: lowerSlope };
    },
  ],
  [
    'a family with a line that is too steep',
    'every mixture of the family is below',
    'unsound',
    /the mixture (0.9|1) of the family, .* x/,
    (box) => {
      const [first, second] = right(box).family;
      return { ...right(box), family: [first, { slope: tf.mul(second.slope, 1.01) }] };
    },
  ],
  [
    'a family with an intercept above',
    'every mixture of the family is below',
    'unsound',
    /the mixture/,
    (box) => {
      const [first, second] = right(box).family;
      return { ...right(box), family: [first, { ...second, intercept: tf.fill(box.lower.shape, 0.01) }] };
    },
  ],
  [
    'a family that lacks the line below',
    'a mixture of the family is as good as the line below',
    'broken-contract',
    /the line below is 1 x \+ 0, and the mixture 0 of the family 0 x \+ 0: lower at/,
    (box) => ({ ...right(box), family: [right(box).family[0], right(box).family[0]] }),
  ],
  [
    'loose where the interval is a point',
    'lines meet the function where an interval is a point',
    'broken-contract',
    /on \[-40, -40\]: the line above is 0.1.*, but the function is 0/,
    (box) => ({ ...right(box), upperIntercept: shifted(right(box).upperIntercept, 0.1) }),
  ],
  [
    'NaN where the width is 0',
    'lines are finite, in the shape of the box',
    'not-finite',
    /upperSlope is NaN/,
    ({ lower, upper }) => ({
      ...right({ lower, upper }),
      upperSlope: tf.div(tf.sub(upper, lower), tf.sub(upper, lower)),
    }),
  ],
  [
    'of another shape',
    'lines are finite, in the shape of the box',
    'shape-mismatch',
    /lowerSlope has the shape \[\] instead of \[1,/,
    (box) => ({ ...right(box), lowerSlope: tf.scalar(0) }),
  ],
  [
    'without a finite gradient',
    'has a finite gradient',
    'not-finite',
    /the gradient with respect to the (lower|upper) end is/,
    (box) => {
      const nothing = tf.mul(tf.sqrt(tf.sub(box.upper, box.lower)), 1e-30);
      return { ...right(box), upperIntercept: tf.add(right(box).upperIntercept, nothing) };
    },
  ],
  [
    'that read a value',
    'is a pure function that reads no value',
    'value-read',
    /read the value of a tensor/,
    (box) => (box.lower.dataSync()[0]! > 0 ? { ...right(box) } : right(box)),
  ],
  [
    'that leak',
    'is a pure function that reads no value',
    'broken-contract',
    /tensors undisposed/,
    (box) => {
      hidden.push(tf.keep(tf.scalar(1)));
      return right(box);
    },
  ],
];

describe('wrong lines fail', () => {
  it('that are right eagerly alone', async () => {
    const device = await cpuDevice({ threads: 1 });
    // What is computed of a value while the function is traced is the same for every interval then.
    let calls = 0;
    const lines = (box: IntervalTensor): TestedLines => ({
      ...right(box),
      lowerIntercept: tf.fill(box.lower.shape, calls++),
    });
    const check = linesSuite({ name: 'mine', f, lines, device }).find(({ name }) => /is below, compiled/.test(name))!;
    calls = 1;
    await expect(check.run()).rejects.toMatchObject({ code: 'unsound' });
    await device.dispose();
  });

  it.each(wrong)('%s', async (_name, what, code, message, lines) => {
    const check = suiteOf(lines).find(({ name }) => name === `mine: ${what}`)!;
    const error: unknown = await check.run().catch((caught) => caught);
    tf.dispose(hidden.splice(0));
    expect(error).toBeInstanceOf(CertError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
