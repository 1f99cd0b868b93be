import { describe, expectTypeOf, it } from 'vitest';
import {
  conv2d,
  dense,
  type Extent,
  graph,
  type Layer,
  type Node,
  type NodeOf,
  type Op,
  relu,
  type Shape,
  sequential,
} from './index.js';

declare module './model.js' {
  interface OpMap {
    /** An op of a plug-in, as declaration merging adds it. */
    scaledTanh: { attrs: { readonly scale: number }; params: 'slope'; stats: 'peak' };
  }
}

const scaledTanh = (scale: number): Layer<'scaledTanh'> => ({
  op: 'scaledTanh',
  attrs: { scale },
  infer: (shape) => ({ shape, params: { slope: shape }, stats: { peak: shape } }),
});

describe('declaration merging', () => {
  it('adds an op to everything that is indexed by ops', () => {
    expectTypeOf<'scaledTanh'>().toExtend<Op>();
    expectTypeOf<NodeOf<'scaledTanh'>['attrs']>().toEqualTypeOf<{ readonly scale: number }>();
    expectTypeOf<NodeOf<'scaledTanh'>['params']>().toEqualTypeOf<{ readonly slope: Shape }>();
    expectTypeOf<NodeOf<'scaledTanh'>>().toExtend<Node>();
  });

  it('layers of plug-ins go where built-in ones go', () => {
    sequential([3], [dense(4), scaledTanh(2), relu()]);
    graph([3]).add(scaledTanh(2));
    // @ts-expect-error there is no such op
    graph([3]).add({ op: 'gelu', attrs: {}, infer: (shape: Shape) => ({ shape, params: {}, stats: {} }) });
  });

  it('a layer must give the shapes of its own parameters', () => {
    const wrong: Layer<'scaledTanh'> = {
      op: 'scaledTanh',
      attrs: { scale: 1 },
      // @ts-expect-error `slope` is missing
      infer: (shape) => ({ shape, params: {}, stats: { peak: shape } }),
    };
    expectTypeOf(wrong.op).toEqualTypeOf<'scaledTanh'>();
  });
});

describe('nodes', () => {
  it('carry the attributes and shapes of their op', () => {
    expectTypeOf<NodeOf<'conv2d'>['attrs']['stride']>().toEqualTypeOf<Extent>();
    expectTypeOf<NodeOf<'conv2d'>['params']>().toEqualTypeOf<{ readonly kernel: Shape; readonly bias: Shape }>();
    expectTypeOf<NodeOf<'batchNorm'>['stats']>().toEqualTypeOf<{ readonly mean: Shape; readonly variance: Shape }>();
    expectTypeOf<keyof NodeOf<'relu'>['params']>().toEqualTypeOf<never>();
  });

  it('narrow on their op', () => {
    const groups = (node: Node): number => (node.op === 'conv2d' ? node.attrs.groups : 0);
    expectTypeOf(groups).returns.toEqualTypeOf<number>();
    // @ts-expect-error only some ops have a stride
    const stride = (node: Node) => node.attrs.stride;
    expectTypeOf(stride).toBeFunction();
  });

  it('layer functions give layers of their op', () => {
    expectTypeOf(conv2d(3)).toEqualTypeOf<Layer<'conv2d'>>();
    expectTypeOf(conv2d(3)).toExtend<Layer>();
  });
});
