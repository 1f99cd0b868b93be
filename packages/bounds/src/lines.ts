import {
  type Bounds,
  CertError,
  type IntervalTensor,
  type Network,
  type Node,
  type NodeOf,
  type Op,
  type Tensor,
} from '@cert/core';
import { checkRuleShape, type ParamsOf, paramsOf } from './method.js';

/** A line per neuron: slope x + intercept, each [batch, ...shape]. */
export type Line = {
  /** Its slope. */
  readonly slope: Tensor;
  /** Value at 0; 0 if omitted. */
  readonly intercept?: Tensor;
};

/**
 * Two lines per neuron that bound an elementwise op f on an interval:
 * lowerSlope x + lowerIntercept <= f(x) <= upperSlope x + upperIntercept. Each is [batch, ...shape]; intercepts default to 0.
 */
export type Lines = {
  /** Slope of the line below. */
  readonly lowerSlope: Tensor;
  /** Its value at 0. */
  readonly lowerIntercept?: Tensor;
  /** Slope of the line above. */
  readonly upperSlope: Tensor;
  /** Its value at 0. */
  readonly upperIntercept?: Tensor;
  /**
   * Two lower lines, equal if f is linear on the interval: every mixture (1 - m) first + m second with m in [0, 1] is also a lower line.
   * alpha-CROWN optimizes m, starting from the slope of the default lower line; without a family, the op keeps its lower line.
   */
  readonly family?: readonly [first: Line, second: Line];
};

/** Returns the lines of an op with one input over a box [batch, ...shape]. A pure function of tensors that reads no value. */
export type LineRule<K extends Op> = (node: NodeOf<K>, params: ParamsOf<K>, box: IntervalTensor) => Lines;

/** Lines by op. */
export type LineRules = { readonly [K in Op]?: LineRule<K> };

/** Named lines of ops: part of a `BackwardTable`. */
export interface LineTable {
  /** Name in errors. */
  readonly name: string;
  /** The rules by op. */
  readonly lines: LineRules;
}

/**
 * The lines of one node.
 *
 * @param at bounds at the nodes, the node's input among them
 * @throws CertError `missing-rule` naming the op, the node and the cure; `bad-argument` when there are no bounds at the node's input;
 * `shape-mismatch` for lines of another shape
 */
export function linesAt(table: LineTable, { params }: Network, node: Node, at: Bounds['at']): Lines {
  const rule = table.lines[node.op] as LineRule<Op> | undefined;
  if (rule === undefined) {
    throw new CertError(
      'missing-rule',
      `${table.name} has no backward rule and no lines for "${node.op}" (node "${node.name}").`,
      `Add one with extendBackward(${table.name}, { ${node.op}: rule }) or extendLines(${table.name}, { ${node.op}: lines }).`,
    );
  }
  const box = boundsAt(at, node);
  const lines = rule(node as NodeOf<Op>, paramsOf(table.name, node, params), box);
  const { family = [], ...usual } = lines;
  const parts = [...Object.entries(usual), ...family.flatMap((line) => Object.entries(line))];
  for (const [name, tensor] of parts) {
    if (tensor === undefined) continue;
    checkRuleShape(table.name, node, `lines with ${name}`, tensor.shape, [box.lower.shape[0]!, ...node.shape]);
  }
  return lines;
}

/**
 * The bounds at the first input of a node.
 *
 * @throws CertError `bad-argument` when there are none
 */
export function boundsAt(at: Bounds['at'], node: Node): IntervalTensor {
  const input = node.inputs[0]!;
  const box = at[input];
  if (box !== undefined) return box;
  throw new CertError(
    'bad-argument',
    `Bounds at "${input}", an input of "${node.name}" (${node.op}), are missing.`,
    'Give bounds at every input of a nonlinear op, such as ibp.bound(problem).at.',
  );
}

/**
 * The lines of every node that has some and whose input has bounds, by its name: computed once for all rows that are passed back.
 *
 * @param at bounds at the nodes
 */
export function linesOf(table: LineTable, network: Network, at: Bounds['at']): { readonly [node: string]: Lines } {
  const curved = network.model.nodes.filter(({ op, inputs }) => table.lines[op] !== undefined && inputs[0]! in at);
  return Object.fromEntries(curved.map((node) => [node.name, linesAt(table, network, node, at)]));
}
