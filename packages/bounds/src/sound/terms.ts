import type { Model, Node, NodeOf } from '@cert/core';

/** The roundings that a batch normalization in another form than the one written may add to the layer before. */
const FORMS = 14;

/** Scales and shifts, which an execution may fold into the layer before. */
const isFolded = ({ op }: Node): boolean => op === 'batchNorm' || op === 'affine';

/** Ops that only move numbers: an import may have put them where the file that is executed has none. */
const MOVES: ReadonlySet<string> = new Set(['flatten', 'reshape', 'transpose']);

/**
 * The roundings that nodes behind a node may add to its sums: an execution may fold scales and shifts into them, one behind the other, and may add
 * the other operand of a residual sum among the products (as ONNX Runtime does).
 */
function behind(model: Model, name: string): number {
  const next = model.nodes.filter(({ inputs }) => inputs.includes(name));
  const own = (node: Node) => (isFolded(node) ? FORMS : node.op === 'add' ? 1 : 0) + behind(model, node.name);
  return Math.max(0, ...next.filter((node) => isFolded(node) || node.op === 'add' || MOVES.has(node.op)).map(own));
}

/** The roundings of the sums that a later operand may be taken into: those of the layer before, through scales, shifts and residual sums. */
function before(model: Model, name: string): number {
  const node = model.nodes.find((other) => other.name === name);
  if (node === undefined) return 0;
  if (node.op === 'conv2d' || node.op === 'dense') return termsOf(node) + 2;
  if (MOVES.has(node.op)) return before(model, node.inputs[0]!);
  return isFolded(node) || node.op === 'add' ? Math.max(...node.inputs.map((input) => before(model, input))) + 1 : 0;
}

/** The number of products that each output of a convolution or dense layer sums. */
export function termsOf(node: NodeOf<'conv2d'> | NodeOf<'dense'>): number {
  const kernel = node.params.kernel;
  return kernel.slice(0, -1).reduce((product, n) => product * n, 1);
}

/**
 * How many roundings of a float32 execution lie between the products of a convolution or dense layer and its result: those of its sums in any
 * order, what it takes to fold the scales and shifts that follow, and the residual sums behind.
 */
export const roundingsOf = (model: Model, node: NodeOf<'conv2d'> | NodeOf<'dense'>): number =>
  termsOf(node) + 1 + behind(model, node.name);

/**
 * How many roundings lie between the numbers that make the shift of a batch normalization or an affine node and its result: folded into the
 * layer before, the shift takes part in that layer's sums.
 */
export const shiftRoundingsOf = (model: Model, node: NodeOf<'batchNorm'> | NodeOf<'affine'>): number =>
  before(model, node.inputs[0]!) + FORMS + behind(model, node.name);

/** How many roundings lie between an operand of a residual sum and the result: an execution may add it among the products of the layer before. */
export const addRoundingsOf = (model: Model, node: NodeOf<'add'>): number =>
  before(model, node.name) + behind(model, node.name);
