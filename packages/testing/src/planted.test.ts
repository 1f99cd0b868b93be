import { type BoundMethod, CertError, fromCenterRadius, type Tensor, tf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { apply, forward, intervalMethod, type Step, step } from '../test/interval-method.js';
import { boundMethodSuite } from './index.js';

/** The first failure with such a message, or else all the failures that a suite found. */
async function failure(method: BoundMethod, message: RegExp): Promise<unknown> {
  const others: string[] = [];
  for (const { name, run } of boundMethodSuite({ method, forward })) {
    const error: unknown = await run().catch((caught) => caught);
    if (error instanceof CertError && message.test(error.message)) return error;
    if (error !== undefined) others.push(`${name}: ${error}`);
  }
  return others;
}

const center = ({ lower, upper }: { lower: Tensor; upper: Tensor }) => tf.mul(tf.add(lower, upper), 0.5);
const radius = ({ lower, upper }: { lower: Tensor; upper: Tensor }) => tf.mul(tf.sub(upper, lower), 0.5);

/** The correct rules with the one of an op replaced. */
const withRule =
  (op: string, rule: Step): Step =>
  (node, params, norm, inputs) =>
    node.op === op ? rule(node, params, norm, inputs) : step(node, params, norm, inputs);

describe('unsound rules are caught and named', () => {
  const signless: Step = (node, params, norm, [x]) => ({
    lower: apply(node, params, norm, [x!.lower]),
    upper: apply(node, params, norm, [x!.upper]),
  });
  const rules: [string, Step, RegExp][] = [
    ['dense with W instead of |W|', withRule('dense', signless), /node "dense1"|node "\(output\)"/],
    ['conv2d with W instead of |W|', withRule('conv2d', signless), /node "conv2d1"/],
    ['batchNorm that forgets negative scales', withRule('batchNorm', signless), /node "batchNorm1"/],
    ['affine that forgets negative scales', withRule('affine', signless), /node "affine1"/],
    [
      'dense whose lower and upper are swapped',
      withRule('dense', (...args) => {
        const { lower, upper } = step(...args);
        return { lower: upper, upper: lower };
      }),
      /lower is .* and upper|lies outside/,
    ],
    [
      'conv2d whose radius is 1 % too small',
      withRule('conv2d', (...args) => {
        const box = step(...args);
        return fromCenterRadius(center(box), tf.mul(radius(box), 0.99));
      }),
      /node "conv2d1", image \d, element \[\d,\d,\d\]: the value .* lies outside the bounds \[.*\], by [\d.e-]+, at the point \[0\./,
    ],
    [
      'relu that drops the radius where the center is negative',
      withRule('relu', (_node, _params, _norm, [x]) => {
        const c = center(x!);
        return fromCenterRadius(tf.relu(c), tf.mul(radius(x!), tf.cast(tf.greater(c, 0), 'float32')));
      }),
      /Check the rule for "relu"/,
    ],
    [
      'relu that takes unstable neurons for active ones',
      withRule('relu', (_node, _params, _norm, [x]) => ({ lower: x!.lower, upper: tf.maximum(x!.upper, x!.lower) })),
      /Check the rule for "relu"|exact bound/,
    ],
    [
      'upper bound made of the lower coefficients',
      withRule('dense', (...args) => {
        const { lower } = step(...args);
        return { lower, upper: tf.add(lower, radius(args[3][0]!).mean()) };
      }),
      /lies outside/,
    ],
    [
      'avgPool that takes the bounds of the first image',
      withRule('avgPool', (node, params, norm, [x]) => {
        const first = (t: Tensor) =>
          tf.tile(tf.slice(t, [0, 0, 0, 0], [Math.min(1, t.shape[0]!), -1, -1, -1]), [t.shape[0]!, 1, 1, 1]);
        return step(node, params, norm, [{ lower: first(x!.lower), upper: first(x!.upper) }]);
      }),
      /node "avgPool1"/,
    ],
    [
      'NaN where the width is 0',
      withRule('relu', (...args) => {
        const box = step(...args);
        const r = radius(box);
        return { lower: box.lower, upper: tf.add(box.upper, tf.sub(tf.div(r, r), 1)) };
      }),
      /NaN/,
    ],
  ];
  it.each(rules)('%s', async (_name, rule, message) => {
    expect(await failure(intervalMethod(rule, 'wrong'), message)).toMatchObject({ code: 'unsound' });
  });
});

describe('broken contracts are caught and named', () => {
  const right = intervalMethod();
  const wrap = (bound: BoundMethod['bound']): BoundMethod => ({ name: 'wrong', bound });
  const hidden: Tensor[] = [];
  let calls = 0;
  const cache = new Map<number, ReturnType<BoundMethod['bound']>>();
  const loose = withRule('relu', (_node, _params, _norm, [x]) => fromCenterRadius(tf.relu(center(x!)), radius(x!)));
  const cases: [string, BoundMethod, string, RegExp][] = [
    [
      'a relu that keeps the whole radius (sound, loose)',
      intervalMethod(loose, 'wrong'),
      'broken-contract',
      /exact bound/,
    ],
    [
      'bounds of another shape',
      wrap((problem) => {
        const { output, at } = right.bound(problem);
        return { at, output: { lower: output.lower, upper: tf.expandDims(output.upper, 2) } };
      }),
      'shape-mismatch',
      /node "\(output\)": the upper bound has the shape \[3,4,1\] instead of \[3,4\]/,
    ],
    [
      'bounds missing at a node',
      wrap((problem) => {
        const { output, at } = right.bound(problem);
        const { relu1: _, ...rest } = at;
        return { at: rest, output };
      }),
      'broken-contract',
      /node "relu1": there is no lower bound/,
    ],
    [
      'a leaked tensor',
      wrap((problem) => {
        hidden.push(tf.keep(tf.scalar(1)));
        return right.bound(problem);
      }),
      'broken-contract',
      /left 1 tensors undisposed/,
    ],
    [
      'a disposed input',
      wrap((problem) => {
        const { output, at } = right.bound(problem);
        const copy = Object.fromEntries(
          Object.entries(at).map(([n, b]) => [n, { lower: b.lower.clone(), upper: b.upper.clone() }]),
        );
        problem.box.upper.dispose();
        return { output, at: copy };
      }),
      'broken-contract',
      /disposed its input box.upper/,
    ],
    [
      'a value that is read',
      wrap((problem) => {
        const widest = tf.max(radius(problem.box)).dataSync()[0]!;
        return right.bound(widest < 0 ? { ...problem } : problem);
      }),
      'value-read',
      /read the value of a tensor/,
    ],
    [
      'random numbers',
      wrap((problem) => {
        const { output, at } = right.bound(problem);
        return { at, output: { lower: output.lower, upper: tf.add(output.upper, Math.random()) } };
      }),
      'broken-contract',
      /two calls with the same inputs/,
    ],
    [
      'a counter of calls',
      wrap((problem) => {
        const { output, at } = right.bound(problem);
        return { at, output: { lower: tf.sub(output.lower, ++calls), upper: output.upper } };
      }),
      'broken-contract',
      /two calls with the same inputs/,
    ],
    [
      'a cache that forgets the parameters',
      wrap((problem) => {
        const { network, box, spec } = problem;
        const key = box.lower.id * 1000 + network.model.nodes.length + (spec ? 500 : 0);
        const known = cache.get(key);
        if (known) return known;
        const bounds = right.bound(problem);
        for (const t of Object.values({ ...bounds.at, output: bounds.output }))
          for (const x of [t.lower, t.upper, t.center, t.radius]) if (x !== undefined) tf.keep(x);
        cache.set(key, bounds);
        return bounds;
      }),
      'broken-contract',
      /tensors undisposed/,
    ],
    [
      'a changed model',
      wrap((problem) => {
        Object.assign(problem.network.model.nodes[0]!, { seen: ++calls });
        return right.bound(problem);
      }),
      'broken-contract',
      /modified the model/,
    ],
    [
      'margins from subtracted logit bounds',
      wrap((problem) => {
        const { output, at } = right.bound({ network: problem.network, box: problem.box });
        const { spec } = problem;
        if (!spec) return { output, at };
        const rows = (m: Tensor, x: Tensor) => tf.sum(tf.mul(m, tf.expandDims(x, 1)), 2);
        const [plus, minus] = [tf.relu(spec.matrix), tf.minimum(spec.matrix, 0)];
        return {
          at,
          output: {
            // Loosened further, as a method that bounds twice would.
            lower: tf.sub(tf.add(rows(plus, output.lower), rows(minus, output.upper)), 0.01),
            upper: tf.add(rows(plus, output.upper), rows(minus, output.lower)),
          },
        };
      }),
      'broken-contract',
      /subtracting logit bounds gives/,
    ],
    [
      'a gradient of its own',
      intervalMethod(
        withRule('relu', (...args) => {
          const { lower, upper } = step(...args);
          const half = tf.customGrad((x) => ({
            value: (x as Tensor).clone(),
            gradFunc: (dy: Tensor) => tf.mul(dy, 0.5),
          }));
          return { lower, upper: half(upper) };
        }),
        'wrong',
      ),
      'broken-contract',
      /by the gradient but .* by finite differences/,
    ],
    [
      'statistics of the whole batch of boxes',
      wrap((problem) => {
        const { output, at } = right.bound(problem);
        return { at, output: { lower: tf.sub(output.lower, tf.mean(radius(problem.box))), upper: output.upper } };
      }),
      'broken-contract',
      /alone and .* in a batch of 3|exact bound/,
    ],
    [
      'an error of the engine',
      wrap((problem) => {
        const { lower } = problem.box;
        if (lower.shape[0] === 0) tf.reshape(lower, [0, -1]);
        return right.bound(problem);
      }),
      'broken-contract',
      /an empty batch: it threw "/,
    ],
  ];
  it.each(cases)('%s', async (_name, method, code, message) => {
    const found = await failure(method, message);
    tf.dispose(hidden.splice(0));
    expect(found).toMatchObject({ code });
  });
});

describe('the attack and the oracle see what random points do not', () => {
  const deep = intervalMethod((node, params, norm, inputs) => {
    const box = step(node, params, norm, inputs);
    return node.name === 'conv2d2' ? fromCenterRadius(center(box), tf.mul(radius(box), 0.9)) : box;
  }, 'wrong');
  const run = (what: string) =>
    boundMethodSuite({ method: deep, forward })
      .find(({ name }) => name.includes(what) && name.endsWith('(pooled)'))!
      .run();

  it('a radius 10 % too small behind four layers', async () => {
    await run('random points');
    await expect(run('gradient attack')).rejects.toMatchObject({ code: 'unsound' });
  });
});
