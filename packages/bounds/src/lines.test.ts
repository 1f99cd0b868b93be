/** Lines of an elementwise op: sound in the walk, exchangeable, and checked. */
import {
  buildParams,
  CertError,
  createRng,
  dense,
  type Layer,
  linfBall,
  type Model,
  paramSpecs,
  relu,
  sequential,
  sizeOf,
  type Tensor,
  tf,
} from '@cert/core';
import { boundMethodSuite, type Forward } from '@cert/testing';
import { describe, expect, it } from 'vitest';
import {
  type BackwardTable,
  crown,
  crownIbpOf,
  extendBackward,
  extendLines,
  extendRules,
  ibp,
  increasing,
  type LineRule,
  linearRelaxation,
  linesOf,
  lowerBound,
  marginSpec,
  naturalPass,
  type OpRules,
  standardRules,
  toRows,
} from './index.js';

declare module '@cert/core' {
  interface OpMap {
    /** min(max(x, 0), 1). */
    clip01: { attrs: object; params: never; stats: never };
  }
}

const clip01: Layer<'clip01'> = { op: 'clip01', attrs: {}, infer: (shape) => ({ shape, params: {}, stats: {} }) };
const clip = (x: Tensor) => tf.minimum(tf.relu(x), 1);

/** Slope 0 between the least and the greatest value. */
const flat: LineRule<'clip01'> = (_node, _params, { lower, upper }) => ({
  lowerSlope: tf.zerosLike(lower),
  lowerIntercept: clip(lower),
  upperSlope: tf.zerosLike(lower),
  upperIntercept: clip(upper),
});
const right: OpRules<'clip01'> = { ...increasing(clip), lines: flat };
const suiteOf = (rules: OpRules<'clip01'>, method: 'ibp' | 'crown-ibp' | 'crown') => {
  const all = extendRules(standardRules, { clip01: rules });
  const parts = { forward: all.ibp, backward: all.linearRelaxation };
  const forward: Forward = (network, images) => naturalPass(network, images, all.natural);
  return boundMethodSuite({
    method: { ibp: all.ibp, 'crown-ibp': crownIbpOf(parts), crown: crown(parts) }[method],
    forward,
    layers: [clip01],
    ops: ['dense'],
    exactOn: method === 'ibp' ? 'layers' : 'output',
    // The clean gradient of a piecewise linear op has jumps.
    differentiable: false,
  }).filter(({ name }) => name.includes('clip01'));
};

describe.each(['ibp', 'crown-ibp', 'crown'] as const)('an op of three lines passes the suite: %s', (method) => {
  for (const { name, run } of suiteOf(right, method)) it(name, run);
});

it.each<[string, LineRule<'clip01'>]>([
  ['too high below', (...args) => ({ ...flat(...args), lowerIntercept: tf.add(flat(...args).lowerIntercept!, 0.01) })],
  ['too low above', (...args) => ({ ...flat(...args), upperIntercept: tf.sub(flat(...args).upperIntercept!, 0.01) })],
  ['exchanged', (...args) => ({ ...flat(...args), lowerIntercept: flat(...args).upperIntercept! })],
])('the suite finds lines that are %s', async (_name, lines) => {
  const errors = [];
  for (const { run } of suiteOf({ ...right, lines }, 'crown-ibp'))
    errors.push(await run().catch((error: unknown) => error));
  expect(errors.find((error) => error !== undefined)).toMatchObject({ code: 'unsound' });
});

/** Normal numbers of deviation 0.6. */
function randomParams(model: Model, seed: number) {
  const rng = createRng(seed, 'lines-params');
  return buildParams(paramSpecs(model), ({ shape }) => {
    const size = sizeOf(shape);
    return tf.tensor(
      Float32Array.from({ length: size }, () => 0.6 * rng.normal()),
      [...shape],
    );
  });
}

const model = sequential([4], [dense(6), relu(), dense(5), relu(), dense(3)]);
const params = randomParams(model, 3);
const rng = createRng(5, 'lines-test');
const images = tf.tensor2d(Float32Array.from({ length: 20 }, rng.uniform), [5, 4]);
const box = linfBall(images, 0.2);
const spec = marginSpec(tf.tensor1d([0, 1, 2, 0, 1], 'int32'), 3);
const network = { model, params };
const values = (x: Tensor) => [...x.dataSync()];

describe('lines of a ReLU', () => {
  const { at } = ibp.bound({ network, box, spec });
  const lines = linesOf(linearRelaxation, network, at);
  const setting = { network, box, at };
  const bound = (given?: typeof lines) =>
    values(lowerBound(linearRelaxation, { ...setting, ...(given && { lines: given }) }, 'dense3', toRows(spec.matrix)));

  it('that are given are those that are computed on the way', () => {
    expect(Object.keys(lines)).toEqual(['relu1', 'relu2']);
    expect(bound(lines)).toEqual(bound());
  });

  const before = 'dense2';

  it('have the same gradients whether an image has one row or several', () => {
    const [rows] = tf.split(spec.matrix, 2, 1) as [Tensor];
    // Looser bounds, so that signs are open.
    const [low, high] = [tf.sub(at[before]!.lower, 1.5), tf.add(at[before]!.upper, 1.5)];
    const gradients = (matrix: Tensor) => {
      const first = (lower: Tensor, kernel: Tensor) => {
        const moved = { ...params, dense3: { ...params.dense3!, kernel } };
        const least = lowerBound(
          linearRelaxation,
          { ...setting, network: { ...network, params: moved }, at: { ...at, [before]: { lower, upper: high } } },
          'dense3',
          toRows(matrix),
        );
        return tf.sum(tf.slice(least, [0, 0], [-1, 1]));
      };
      return tf.grads(first)([low, params.dense3!.kernel!]).map(values);
    };
    const [one, several] = [gradients(rows), gradients(spec.matrix)];
    one.forEach((grads, k) => {
      expect(Math.max(...grads.map(Math.abs))).toBeGreaterThan(0.01);
      grads.forEach((grad, i) => {
        expect(grad).toBeCloseTo(several[k]![i]!, 5);
      });
    });
  });

  it('hold with any slope from 0 to 1 below, and other slopes give other bounds', () => {
    const found = new Set([String(bound())]);
    for (const slope of [0, 0.3, 1]) {
      const changed = Object.fromEntries(
        Object.entries(lines).map(([node, own]) => {
          const input = at[node.replace('relu', 'dense')]!;
          // Stable neurons keep their line.
          const unstable = tf.logicalAnd(tf.less(input.lower, 0), tf.greater(input.upper, 0));
          return [
            node,
            { ...own, lowerSlope: tf.where(unstable, tf.fill(own.lowerSlope.shape, slope), own.lowerSlope) },
          ];
        }),
      );
      const lower = bound(changed);
      found.add(String(lower));
      for (let i = 0; i < 200; i++) {
        const share = tf.tensor2d(Float32Array.from({ length: 20 }, rng.uniform), [5, 4]);
        const point = tf.add(box.lower, tf.mul(share, tf.sub(box.upper, box.lower)));
        const logits = naturalPass(network, point).output;
        const margins = values(tf.sum(tf.mul(spec.matrix, tf.expandDims(logits, 1)), 2));
        margins.forEach((margin, j) => {
          expect(margin).toBeGreaterThanOrEqual(lower[j]! - 1e-5);
        });
      }
    }
    expect(found.size).toBeGreaterThan(2);
  });
});

describe('a table', () => {
  const net = { model: sequential([4], [dense(6), relu(), dense(3)]), params: {} };
  const own = { ...net, params: randomParams(net.model, 1) };
  const bound = (backward: BackwardTable) => crownIbpOf({ backward }).bound({ network: own, box }).output.lower;

  it('takes what was added last: lines, or a backward rule', () => {
    const never = () => {
      throw new Error('taken');
    };
    const ruled = extendBackward(linearRelaxation, { relu: never });
    expect(() => bound(ruled)).toThrow('taken');
    expect(values(bound(extendLines(ruled, { relu: linearRelaxation.lines.relu! })))).toEqual(
      values(bound(linearRelaxation)),
    );
  });

  it('refuses lines of another shape, naming the op and the node', () => {
    const wrong = extendLines(linearRelaxation, {
      relu: (...args) => ({ ...linearRelaxation.lines.relu!(...args), upperIntercept: tf.zeros([6]) }),
    });
    expect(() => bound(wrong)).toThrow(CertError);
    expect(() => bound(wrong)).toThrow(
      'linearRelaxation: the rule for "relu" (node "relu1") returned lines with upperIntercept of shape [6] instead of [5,6].',
    );
  });
});

it('the lines of a ReLU hold where its width overflows', () => {
  const model = sequential([1], [relu()]);
  const at = { input: { lower: tf.tensor2d([[-2e38]]), upper: tf.tensor2d([[3e38]]) } };
  const { upperSlope } = linesOf(linearRelaxation, { model, params: {} }, at).relu1!;
  expect(upperSlope.dataSync()[0]).toBeCloseTo(0.6, 6);
});

describe('the line above a ReLU', () => {
  it('has the gradients of u / (u - l) and of its height at 0, and none where the sign is certain', () => {
    const node = { name: 'relu1', op: 'relu', inputs: ['input'], attrs: {}, shape: [4] } as never;
    const [l, u] = [
      [-3, -0.5, 0.25, -2],
      [1, 1.5, 2, -1],
    ];
    const read = (name: 'upperSlope' | 'upperIntercept') => (lower: Tensor, upper: Tensor) =>
      linearRelaxation.lines.relu!(node, undefined as never, { lower, upper })[name] as Tensor;
    const grads = (name: 'upperSlope' | 'upperIntercept') =>
      tf
        .grads((lower: Tensor, upper: Tensor) => tf.sum(read(name)(lower, upper)))([
          tf.tensor(l!, [1, 4]),
          tf.tensor(u!, [1, 4]),
        ])
        .map((grad) => [...grad.dataSync()]);

    // Of u / (u - l): u / (u - l)^2 and -l / (u - l)^2.
    const [byLower, byUpper] = grads('upperSlope');
    [1 / 16, 1.5 / 4, 0, 0].forEach((want, i) => {
      expect(byLower![i]).toBeCloseTo(want, 6);
    });
    [3 / 16, 0.5 / 4, 0, 0].forEach((want, i) => {
      expect(byUpper![i]).toBeCloseTo(want, 6);
    });
    // Of -l u / (u - l): -u^2 / (u - l)^2 and l^2 / (u - l)^2.
    const [downwards, upwards] = grads('upperIntercept');
    [-1 / 16, -2.25 / 4, 0, 0].forEach((want, i) => {
      expect(downwards![i]).toBeCloseTo(want, 6);
    });
    [9 / 16, 0.25 / 4, 0, 0].forEach((want, i) => {
      expect(upwards![i]).toBeCloseTo(want, 6);
    });
  });
});
