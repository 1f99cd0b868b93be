import {
  type Bounds,
  CertError,
  type Regularizer,
  radiusOf,
  reluInputs,
  type Scalar,
  type Tensor,
  tf,
} from '@cert/core';
import { describe, expect, it } from 'vitest';
import { regularizerSuite } from './index.js';

/** The mean width of the bounds at every ReLU: smooth, plain, right. */
const width: Regularizer = {
  name: 'width',
  term: ({ model, bounds }) => tf.addN([tf.scalar(0), ...means(reluInputs(model), bounds)]) as Scalar,
};
const means = (nodes: string[], bounds: Bounds): Tensor[] => nodes.map((node) => tf.mean(radiusOf(bounds.at[node]!)));
const term = (name: string, f: Regularizer['term']): Regularizer => ({ name, term: f });

/** The first failure with such a message, or else all that the suite found. */
async function failure(regularizer: Regularizer, message: RegExp): Promise<unknown> {
  const others: string[] = [];
  for (const { name, run } of regularizerSuite({ regularizer })) {
    const error: unknown = await run().catch((caught) => caught);
    if (error instanceof CertError && message.test(error.message)) return error;
    if (error !== undefined) others.push(`${name}: ${error}`);
  }
  return others;
}

describe('a correct regularizer passes', () => {
  for (const { name, run } of regularizerSuite({ regularizer: width })) it(name, run);
});

describe('a wrong regularizer fails', () => {
  let calls = 0;
  const hidden: Tensor[] = [];
  const wrong: [string, RegExp, string, Regularizer['term']][] = [
    ['negative', /the term is -/, 'broken-contract', (c) => tf.neg(width.term(c))],
    ['infinite', /the term is (Infinity|NaN)/, 'not-finite', (c) => tf.div(1, width.term(c))],
    [
      'with a NaN gradient where a width is 0',
      /the gradient with respect to .* is -?(NaN|Infinity)/,
      'not-finite',
      ({ bounds }) => tf.mean(tf.sqrt(radiusOf(bounds.output))),
    ],
    ['not a scalar', /shape \[1\]/, 'shape-mismatch', (c) => tf.reshape(width.term(c), [1]) as Tensor as Scalar],
    ['reading a value', /read the value/, 'value-read', (c) => tf.scalar(width.term(c).dataSync()[0]!)],
    ['without a gradient', /by finite differences/, 'broken-contract', (c) => tf.scalar(width.term(c).dataSync()[0]!)],
    [
      'with half its gradient',
      /by finite differences/,
      'broken-contract',
      (c) =>
        tf.customGrad((x) => ({ value: (x as Tensor).clone(), gradFunc: (dy: Tensor) => tf.mul(dy, 0.5) }))(
          width.term(c),
        ) as Scalar,
    ],
    [
      'leaking',
      /tensors undisposed/,
      'broken-contract',
      (c) => {
        hidden.push(tf.keep(tf.scalar(1)));
        return width.term(c);
      },
    ],
    [
      'disposing its input',
      /disposed its input bounds.output.upper/,
      'broken-contract',
      (c) => {
        const result = width.term(c);
        c.bounds.output.upper.dispose();
        return result;
      },
    ],
    [
      'depending on earlier calls',
      /two calls with the same inputs/,
      'broken-contract',
      (c) => tf.mul(width.term(c), 1 + calls++),
    ],
    [
      'reading center and radius that are not there',
      /it threw|lower and upper bounds/,
      'broken-contract',
      (c) => tf.mean(c.bounds.output.radius!),
    ],
    [
      'taking its value from carried radii',
      /for bounds that carry center and radius/,
      'broken-contract',
      (c) => tf.mul(width.term(c), c.bounds.output.radius ? 2 : 1),
    ],
  ];
  it.each(wrong)('%s', async (name, message, code, f) => {
    const found = await failure(term(name, f), message);
    tf.dispose(hidden.splice(0));
    expect(found).toMatchObject({ code, name: 'CertError' });
  });

  it('a comparison on the tape, which has no gradient', async () => {
    const activeMean = term('active-mean', ({ bounds }) => {
      const { lower } = bounds.output;
      return tf.mean(tf.where(tf.greater(lower, 0), lower, tf.zerosLike(lower))) as Scalar;
    });
    expect(await failure(activeMean, /mask\(/)).toMatchObject({ code: 'broken-contract' });
  });
});

it('leaves no tensor behind', async () => {
  const before = tf.memory().numTensors;
  for (const { run } of regularizerSuite({ regularizer: width })) await run();
  expect(tf.memory().numTensors).toBe(before);
});
