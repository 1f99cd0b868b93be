/**
 * The order in which the values of a graph are written to a file. It decides in which order they are computed: of the operands of a node,
 * ONNX Runtime computes the one first that comes last in the file.
 */
import type { Graph, Value } from '../graph/ir.js';
import { schedule } from '../graph/rewrite.js';
import { runLast } from './run-last.js';

/**
 * The live values of a graph in the order of its file, operands first.
 *
 * In a step that trains a large matrix, ONNX Runtime computes operands from last to first. In the other order fewer tensors are alive at a
 * time, but the process grows larger (wide-resnet-8: a peak of 1,440 instead of 1,320 MiB), since the memory is cut into more pieces.
 */
export function fileOrder(graph: Graph): Value[] {
  const last = runLast(graph);
  return last.length > 0 ? schedule(graph, last) : lastOperandFirst(graph);
}

/**
 * The order in which ONNX Runtime computes operands and results from first to last, as the traced function did. Where a sum has a term for
 * each of many large tensors, as in a backward pass of linear relaxation, each tensor is then freed before the next one is made.
 */
function lastOperandFirst({ inputs, outputs }: Graph): Value[] {
  const seen = new Set<Value>();
  const order: Value[] = [];
  // An explicit stack: graphs are deeper than the call stack allows.
  const stack: { readonly value: Value; readonly isDone: boolean }[] = [];
  const visitLater = (value: Value) => stack.push({ value, isDone: false });
  outputs.forEach(visitLater);
  inputs.toReversed().forEach(visitLater);
  while (stack.length > 0) {
    const { value, isDone } = stack.pop()!;
    if (isDone) order.push(value);
    if (isDone || seen.has(value)) continue;
    seen.add(value);
    stack.push({ value, isDone: true });
    value.inputs.forEach(visitLater);
  }
  return order;
}
