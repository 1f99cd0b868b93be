import type { Value } from '../graph/ir.js';
import type { Rule } from '../graph/rewrite.js';

/**
 * A view of |w| becomes the absolute value of that view of w, for parameters w: a layer that convolves with both w and |w| then moves its kernel into
 * the form of the convolution once, and takes absolute values of the moved one.
 */
export const absoluteViews: Rule = (build, value) => {
  const [x, ...others] = value.inputs;
  if (!isView(value) || x?.op !== 'unary' || x.attrs.f !== 'abs' || !isParameter(x.inputs[0]!)) return undefined;
  const view = build.make(value.op, [x.inputs[0]!, ...others], value.attrs, value.shape, value.dtype);
  return build.unary('abs', view);
};

const isView = (value: Value): boolean => ['reshape', 'transpose', 'gather'].includes(value.op);

const isParameter = (value: Value): boolean => value.op === 'input' || (isView(value) && isParameter(value.inputs[0]!));
