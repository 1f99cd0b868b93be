import { sizeOf } from '@cert/core';
import type { Builder } from '../graph/builder.js';
import type { Graph, Value } from '../graph/ir.js';
import { type Rule, readers } from '../graph/rewrite.js';

/** A vector over channels that is added to a convolution and to nothing else becomes the convolution's own bias. */
export function convBias(graph: Graph): Rule {
  const count = readers(graph);
  return (build, value, original) => {
    if (value.op !== 'binary' || value.attrs.f !== 'add') return undefined;
    for (const [conv, bias, before] of [
      [value.inputs[0]!, value.inputs[1]!, original.inputs[0]!],
      [value.inputs[1]!, value.inputs[0]!, original.inputs[1]!],
    ] as const) {
      if (count.get(before) !== 1) continue;
      const biased = withBias(build, conv, bias);
      if (biased !== undefined) return biased;
    }
    return undefined;
  };
}

function withBias(build: Builder, conv: Value, bias: Value): Value | undefined {
  if ((conv.op !== 'conv' && conv.op !== 'blockedConv') || conv.inputs.length !== 2) return undefined;
  const [x, w] = conv.inputs as [Value, Value];
  const blocked = conv.op === 'blockedConv';
  const filters = blocked ? conv.shape[1]! * conv.shape[4]! : conv.shape[1]!;
  const overChannels =
    bias.shape.length === conv.shape.length &&
    sizeOf(bias.shape) === filters &&
    bias.shape[1] === conv.shape[1] &&
    (!blocked || bias.shape[4] === conv.shape[4]);
  if (!overChannels) return undefined;
  const vector = build.reshape(bias, [filters]);
  return conv.op === 'conv' ? build.conv(x, w, conv.attrs, vector) : build.blockedConv(x, w, conv.attrs, vector);
}
