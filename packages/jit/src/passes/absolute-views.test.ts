import { expect, it } from 'vitest';
import { Builder } from '../graph/builder.js';
import { absoluteViews } from './absolute-views.js';
import { untilStable } from './index.js';

it('moves a kernel once for w and |w|', () => {
  const build = new Builder();
  const w = build.input(0, [3, 3, 2, 4], 'float32');
  const moved = (x: typeof w) => build.transpose(build.reshape(x, [9, 2, 4]), [2, 1, 0]);
  const graph = { inputs: [w], outputs: [moved(w), moved(build.unary('abs', w))] };

  const [plain, absolute] = untilStable(graph, absoluteViews).outputs;
  expect(absolute).toMatchObject({ op: 'unary', attrs: { f: 'abs' }, shape: [4, 2, 9] });
  expect(absolute!.inputs[0]).toBe(plain);
});

it('leaves absolute values of computed tensors where they are', () => {
  const build = new Builder();
  const x = build.unary('neg', build.input(0, [2, 3], 'float32'));
  const graph = { inputs: [x.inputs[0]!], outputs: [build.transpose(build.unary('abs', x), [1, 0])] };
  expect(untilStable(graph, absoluteViews).outputs[0]).toMatchObject({ op: 'transpose' });
});
