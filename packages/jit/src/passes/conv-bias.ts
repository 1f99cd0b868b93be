import { type Graph, sizeOf, type Value } from '../ir.js';
import { type Rule, schedule } from '../rewrite.js';

/** A vector over channels that is added to a convolution and to nothing else becomes the convolution's own bias. */
export function convBias(graph: Graph): Rule {
  const readers = new Map<Value, number>();
  const count = (x: Value) => readers.set(x, (readers.get(x) ?? 0) + 1);
  for (const value of schedule(graph)) value.inputs.forEach(count);
  graph.outputs.forEach(count);

  return (build, value, original) => {
    if (value.op !== 'binary' || value.attrs.f !== 'add') return undefined;
    for (const [conv, bias, before] of [
      [value.inputs[0]!, value.inputs[1]!, original.inputs[0]!],
      [value.inputs[1]!, value.inputs[0]!, original.inputs[1]!],
    ] as const) {
      if (conv.op !== 'conv' || conv.inputs.length !== 2 || readers.get(before) !== 1) continue;
      const filters = conv.shape[1]!;
      const overChannels = bias.shape.length === 4 && bias.shape[1] === filters && sizeOf(bias.shape) === filters;
      if (!overChannels) continue;
      return build.conv(conv.inputs[0]!, conv.inputs[1]!, conv.attrs, build.reshape(bias, [filters]));
    }
    return undefined;
  };
}
