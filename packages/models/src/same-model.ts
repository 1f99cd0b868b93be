import { CertError, describeValue, type Model, type Node } from '@cert/core';

const same = (a: unknown, b: unknown) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** The same JSON value with keys in a fixed order, so that the order in which an object was written does not matter. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}

/** The first thing in which two models differ and its two values; `undefined` when they are the same. */
function firstDifference(a: Model, b: Model): readonly [what: string, inA: string, inB: string] | undefined {
  if (!same(a.inputShape, b.inputShape))
    return ['the input shape', describeValue(a.inputShape), describeValue(b.inputShape)];
  for (let i = 0; i < Math.max(a.nodes.length, b.nodes.length); i++) {
    const [x, y] = [a.nodes[i], b.nodes[i]];
    if (x?.name !== y?.name) return [`node ${i + 1}`, describe(x), describe(y)];
    for (const part of ['op', 'inputs', 'attrs', 'params', 'stats', 'shape'] as const) {
      if (!same(x![part], y![part]))
        return [`${part} of node ${describeValue(x!.name)}`, describeValue(x![part]), describeValue(y![part])];
    }
  }
  return a.classes === b.classes ? undefined : ['the number of classes', String(a.classes), String(b.classes)];
}

const describe = (node: Node | undefined) =>
  node === undefined ? 'no such node' : `${describeValue(node.name)} (${describeValue(node.op)})`;

/**
 * Checks that two models are the same graph: same nodes in the same order, with the same inputs, attributes and shapes.
 *
 * @param names names of the two models in the message, for example `['runs/a/best.safetensors', 'the preset']`
 * @throws CertError `shape-mismatch` naming the first difference
 */
export function assertSameModel(
  a: Model,
  b: Model,
  names: readonly [string, string] = ['the first', 'the second'],
): void {
  const difference = firstDifference(a, b);
  if (difference === undefined) return;
  const [what, inA, inB] = difference;
  throw new CertError(
    'shape-mismatch',
    `The models differ: ${what} is ${inA} in ${names[0]} and ${inB} in ${names[1]}.`,
    'Use a checkpoint of the same architecture, or build the model with the options of the checkpoint.',
  );
}
