import type { BoundMethod, Tensor } from '@cert/core';
import { describe, expectTypeOf, it } from 'vitest';
import {
  type CenterRadius,
  extend,
  type ForwardMethod,
  type ForwardRules,
  ibp,
  natural,
  type ParamsOf,
  type RuleTable,
} from './index.js';

describe('rule tables', () => {
  it('a rule gets the attributes and parameters of its op', () => {
    expectTypeOf<ParamsOf<'dense'>>().toEqualTypeOf<{ readonly kernel: Tensor; readonly bias: Tensor }>();
    const rules: ForwardRules<number> = {
      leakyRelu: (node, _params, _context, x) => x * node.attrs.slope,
      // @ts-expect-error a ReLU has no kernel
      relu: (_node, { kernel }, _context, x) => x + kernel.size,
      // @ts-expect-error there is no such op
      gelu: (_node: never, _params: never, _context: never, x: number) => x,
    };
    expectTypeOf(rules).toExtend<ForwardRules<number>>();
  });

  it('a rule must return the element of its method', () => {
    // @ts-expect-error a tensor is not a center and a radius
    extend(ibp, { relu: (_node, _params, _context, x) => x.center });
  });

  it('extend keeps what it was given', () => {
    expectTypeOf(extend(ibp, {})).toExtend<BoundMethod & ForwardMethod<CenterRadius>>();
    expectTypeOf(extend(natural, {})).toEqualTypeOf<RuleTable<Tensor>>();
  });
});
