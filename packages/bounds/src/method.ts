import {
  type BatchNormStats,
  type BoundMethod,
  CertError,
  INPUT,
  type IntervalTensor,
  type Model,
  type Network,
  type Node,
  type NodeOf,
  type Op,
  type OpMap,
  type Params,
  type Shape,
  type Spec,
  type Tensor,
  type Tensor3D,
  tf,
} from '@cert/core';
import { fuseSpec } from './spec.js';

/** Context of a rule. */
export interface Context {
  /** The graph of the node; always present during a pass over a network. */
  readonly model?: Model;
  /** Statistics for every batchNorm node, by its name. */
  readonly norm: BatchNormStats;
}

/** Parameters of one node by name: `kernel` and `bias` for a convolution. */
export type ParamsOf<K extends Op> = { readonly [P in OpMap[K]['params']]: Tensor };

/**
 * Maps the elements at a node's inputs to the element at its output. A pure function of tensors that reads no value. For a bound method the
 * rule must be sound: the result must contain every value of the op for inputs in the given elements.
 */
export type ForwardRule<K extends Op, B> = (
  node: NodeOf<K>,
  params: ParamsOf<K>,
  context: Context,
  ...inputs: B[]
) => B;

/** Rules of a method by op. Using an op without a rule is an error that names the node. */
export type ForwardRules<B> = { readonly [K in Op]?: ForwardRule<K, B> };

/** A named table of rules, which {@link extend} takes and returns. */
export interface RuleTable<B> {
  /** Name in errors. */
  readonly name: string;
  /** The rules by op. */
  readonly rules: ForwardRules<B>;
}

/** A method that propagates elements of type `B` through the graph, from input to output. */
export interface ForwardMethod<B> extends RuleTable<B> {
  /** Returns the element for the box [batch, ...inputShape] at the input. */
  lift(input: IntervalTensor): B;
  /** Returns the interval of an element, [batch, ...shape]. */
  concretize(element: B): IntervalTensor;
  /**
   * Applies a linear map that differs between examples: the specification, already multiplied into the last dense layer.
   * `kernel` is [batch, rows, in], `bias` [batch, rows], the element's shape [batch, in].
   */
  specify(kernel: Tensor3D, bias: Tensor, element: B): B;
  /**
   * The same for a dense last layer, for a method that needs to know the layer: instead of `specify` with the specification multiplied into
   * it. Default: `specify`.
   */
  specifyDense?(spec: Spec, node: NodeOf<'dense'>, params: ParamsOf<'dense'>, element: B): B;
  /** Returns the final output, given the elements at all other nodes. Default: the output unchanged. */
  conclude?(walk: Walk<B>): B;
}

/** What {@link ForwardMethod.conclude} takes. */
export interface Walk<B> {
  /** The graph that was walked. */
  readonly model: Model;
  /** The element of the output: the logits, or the specification. */
  readonly output: B;
  /** Elements by node, including `input`; the last node is present only if the specification is applied to the logits. */
  readonly elements: { readonly [node: string]: B };
}

/** What rules may use of a network besides their node. */
export const contextOf = ({ model, norm = {} }: Network): Context => ({ model, norm });

/**
 * Applies a method's rule to one node.
 *
 * @param params of the whole model
 * @param inputs the elements at the node's inputs, in order
 * @throws CertError `missing-rule` naming the op, the node and the cure
 */
export function applyRule<B>(method: RuleTable<B>, node: Node, params: Params, context: Context, inputs: B[]): B {
  const rule = method.rules[node.op] as ForwardRule<Op, B> | undefined;
  if (rule === undefined) {
    throw new CertError(
      'missing-rule',
      `${method.name} has no rule for "${node.op}" (node "${node.name}").`,
      `Add one: extend(${method.name}, { ${node.op}: rule }).`,
    );
  }
  checkStatistics(method.name, node, context);
  return rule(node as NodeOf<Op>, paramsOf(method.name, node, params), context, ...inputs);
}

/** @throws CertError `bad-argument` naming a batch normalization without statistics */
export function checkStatistics(method: string, node: Node, { norm }: Pick<Context, 'norm'>): void {
  if (node.op !== 'batchNorm' || norm[node.name] !== undefined) return;
  throw new CertError(
    'bad-argument',
    `${method}: the statistics of the BatchNorm node "${node.name}" are missing.`,
    'Give statistics in network.norm: runningNorm(stats), or naturalPass(...).norm for batch statistics.',
  );
}

/**
 * The parameters of one node.
 *
 * @throws CertError `shape-mismatch` naming a parameter that is missing
 */
export function paramsOf(method: string, node: Node, params: Params): ParamsOf<Op> {
  const own = params[node.name] ?? {};
  for (const name of Object.keys(node.params)) {
    if (own[name] !== undefined) continue;
    throw new CertError(
      'shape-mismatch',
      `${method}: the parameter "${name}" of node "${node.name}" (${node.op}) is missing.`,
      `Give parameters of this model: params.${node.name}.${name} of shape [${(node.params as Record<string, Shape>)[name]}].`,
    );
  }
  return own as ParamsOf<Op>;
}

/** @throws CertError `bad-model` for a value that is no model graph, such as a model of TensorFlow.js */
export function checkIsModel(method: string, model: Model): void {
  if (Array.isArray((model as Partial<Model> | null)?.nodes)) return;
  throw new CertError(
    'bad-model',
    `${method} was given a model that is not a graph of nodes.`,
    'Build a model with sequential(...) or graph(...) of @cert/core, or use one of @cert/models; a LayersModel of TensorFlow.js is not supported.',
  );
}

/**
 * Checks the shape of what a rule returned. Shapes are known without reading a value, so that this costs nothing in a compiled function.
 *
 * @param what the part of the result, for the message
 * @throws CertError `shape-mismatch` naming the method, the op and the node
 */
export function checkRuleShape(method: string, node: Node, what: string, got: Shape, expected: Shape): void {
  if (got.length === expected.length && got.every((n, i) => n === expected[i])) return;
  throw wrongRule(method, node, `${what} of shape [${got}] instead of [${expected}]`);
}

/** The error for a rule that returned something of another shape than its node's. */
export const wrongRule = (method: string, node: Node, what: string): CertError =>
  new CertError(
    'shape-mismatch',
    `${method}: the rule for "${node.op}" (node "${node.name}") returned ${what}.`,
    'Correct the rule: the first axis is the batch (for rows, images times rows), and the other axes are the shape that the layer infers.',
  );

/** The interval at a node, its shape checked. */
function intervalAt<B>(method: ForwardMethod<B>, node: Node, element: B, batch: number): IntervalTensor {
  const [shape, table] = [[batch, ...node.shape], element as { readonly [part: string]: unknown }];
  // An element in center and radius that do not fit together has no interval: which of them is wrong, is said here.
  for (const part of ['center', 'radius']) {
    const tensor = table?.[part];
    if (tensor instanceof tf.Tensor) checkRuleShape(method.name, node, `a ${part}`, tensor.shape, shape);
  }
  const box = method.concretize(element);
  checkRuleShape(method.name, node, 'a lower bound', box.lower.shape, shape);
  checkRuleShape(method.name, node, 'an upper bound', box.upper.shape, shape);
  return box;
}

/** Options of {@link propagate}. */
export interface PropagateOptions<B> {
  /** Nodes to evaluate, in topological order: a prefix of the model's nodes; default all. */
  readonly nodes?: readonly Node[];
  /** Called with every node and its element before the next node is evaluated. */
  readonly visit?: (node: Node, element: B) => void;
}

/**
 * Evaluates the nodes in order and returns the element of each node by name, including `input`.
 *
 * @param input the element at the model's input
 * @throws CertError `missing-rule` naming the op, the node and the cure
 */
export function propagate<B>(
  method: RuleTable<B>,
  network: Network,
  input: B,
  { nodes = network.model.nodes, visit }: PropagateOptions<B> = {},
): { readonly [node: string]: B } {
  const at: { [node: string]: B } = { [INPUT]: input };
  const context = contextOf(network);
  for (const node of nodes) {
    const inputs = node.inputs.map((name) => at[name]!);
    const element = applyRule(method, node, network.params, context, inputs);
    visit?.(node, element);
    at[node.name] = element;
  }
  return at;
}

/**
 * Creates a bound method from a forward method: one pass over the graph, with the specification multiplied into the last layer if that is
 * dense, and otherwise applied to the bounds of the logits.
 *
 * @returns the method with `bound`, which throws CertError `missing-rule` for an op without a rule, and `shape-mismatch` naming the
 * node whose rule returned another shape than [batch, ...node.shape]
 */
export function boundMethod<B>(method: ForwardMethod<B>): ForwardMethod<B> & BoundMethod {
  return {
    ...method,
    bound({ network, box, spec }) {
      const { model, params } = network;
      checkIsModel(method.name, model);
      const last = model.nodes.at(-1)!;
      const batch = box.lower.shape[0]!;
      const at: { [node: string]: IntervalTensor } = {};
      const elements = propagate(method, network, method.lift(box), {
        nodes: model.nodes.slice(0, -1),
        visit(node, element) {
          at[node.name] = intervalAt(method, node, element, batch);
        },
      });
      const inputs = last.inputs.map((name) => elements[name]!);
      const all: { [node: string]: B } = { ...elements };
      let output: B;
      if (spec && last.op === 'dense') {
        output = specifyDense(method, spec, last, paramsOf(method.name, last, params) as ParamsOf<'dense'>, inputs[0]!);
      } else {
        const logits = applyRule(method, last, params, contextOf(network), inputs);
        intervalAt(method, last, logits, batch);
        all[last.name] = logits;
        output = spec ? method.specify(spec.matrix, tf.zeros(spec.matrix.shape.slice(0, 2)), logits) : logits;
      }
      if (method.conclude !== undefined) output = method.conclude({ model, output, elements: all });
      return { output: method.concretize(output), at: { ...at, [INPUT]: box } };
    },
  };
}

/** The specification of a dense last layer: by the method itself, or multiplied into the layer. */
function specifyDense<B>(
  method: ForwardMethod<B>,
  spec: Spec,
  node: NodeOf<'dense'>,
  params: ParamsOf<'dense'>,
  element: B,
): B {
  if (method.specifyDense !== undefined) return method.specifyDense(spec, node, params, element);
  const { kernel, bias } = fuseSpec(spec, params.kernel, params.bias);
  return method.specify(kernel, bias, element);
}

/**
 * Returns a new method with rules added or replaced; the given method is unchanged: `extend(ibp, { gelu: rule })`. For a {@link
 * ForwardMethod}, the result is a bound method whose `bound` uses the new rules.
 */
export function extend<B>(
  method: ForwardMethod<B> & BoundMethod,
  rules: ForwardRules<B>,
): ForwardMethod<B> & BoundMethod;
/** The same for a plain table of rules, such as {@link natural}. */
export function extend<B>(method: RuleTable<B>, rules: ForwardRules<B>): RuleTable<B>;
export function extend<B>(method: RuleTable<B> | ForwardMethod<B>, rules: ForwardRules<B>): RuleTable<B> {
  const extended = { ...method, rules: { ...method.rules, ...rules } };
  return 'lift' in extended ? boundMethod(extended) : extended;
}
