/** Walks and rebuilds graphs. */
import { Builder } from './builder.js';
import type { Graph, Value } from './ir.js';

/**
 * The live values of a graph, operands first.
 *
 * @param early live values that come as early as their operands allow
 */
export function schedule(graph: Graph, early: readonly Value[] = []): Value[] {
  const seen = new Set<Value>();
  const order: Value[] = [];
  const visit = (root: Value) => {
    // An explicit stack: graphs are deeper than the call stack allows.
    const stack: [Value, number][] = [[root, 0]];
    if (seen.has(root)) return;
    seen.add(root);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const operand = top[0].inputs[top[1]++];
      if (operand === undefined) {
        order.push(top[0]);
        stack.pop();
      } else if (!seen.has(operand)) {
        seen.add(operand);
        stack.push([operand, 0]);
      }
    }
  };
  for (const input of graph.inputs) visit(input);
  for (const value of early) visit(value);
  for (const output of graph.outputs) visit(output);
  return order;
}

/**
 * A pass: says what a value becomes, given its operands already rewritten, or undefined to keep it. `original` is the value in
 * the graph that is rewritten.
 */
export type Rule = (builder: Builder, value: Value, original: Value) => Value | undefined;

/** Rebuilds a graph through a rule. Dead values vanish, equal ones merge. */
export function rewrite(graph: Graph, rule: Rule): Graph {
  const builder = new Builder();
  const now = new Map<Value, Value>();
  for (const value of schedule(graph)) {
    builder.site = value.site;
    const again = builder.again(
      value,
      value.inputs.map((v) => now.get(v)!),
    );
    now.set(value, rule(builder, again, value) ?? again);
  }
  return { inputs: graph.inputs.map((v) => now.get(v)!), outputs: graph.outputs.map((v) => now.get(v)!) };
}

/** How many operands and outputs of the graph each value is. */
export function readers(graph: Graph): ReadonlyMap<Value, number> {
  const count = new Map<Value, number>();
  const read = (x: Value) => count.set(x, (count.get(x) ?? 0) + 1);
  for (const value of schedule(graph)) value.inputs.forEach(read);
  graph.outputs.forEach(read);
  return count;
}
