import { CertError } from './errors.js';
import { describeValue } from './json.js';
import {
  add,
  affine,
  avgPool,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  leakyRelu,
  maxPool,
  relu,
  reshape,
  sigmoid,
  softmax,
  tanh,
  transpose,
} from './layers.js';
import { INPUT, isShape, type Layer, type Model, type Node, type Shape } from './model.js';
import { isCounts } from './window.js';

const isCount = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;
const optional = (value: unknown, fits: (value: unknown) => boolean) => value === undefined || fits(value);
/** Whether all attributes have one of these names: what is not known must not be ignored. */
const only = (attrs: object, ...names: readonly string[]) => Object.keys(attrs).every((name) => names.includes(name));
const isExtent = (value: unknown) => isCounts(value, 2, 1);
const isPadding = (value: unknown) => isCounts(value, 4, 0);
const isList = (value: unknown) => Array.isArray(value) && value.every(Number.isFinite);

/** The layer that a node of a built-in op says it is; a string where its attributes are not those of the op; undefined for other ops. */
function layerOf(node: Node): Layer | string | undefined {
  const bad = `has the attributes ${describeValue(node.attrs)}`;
  switch (node.op) {
    case 'conv2d': {
      const { stride, padding, groups, dilation } = node.attrs;
      const kernel: Shape | undefined = node.params.kernel;
      if (!isExtent(stride) || !isPadding(padding) || !isCount(groups, 1) || !optional(dilation, isExtent)) return bad;
      if (!only(node.attrs, 'stride', 'padding', 'groups', 'dilation')) return bad;
      const sides = [kernel?.[0] ?? 0, kernel?.[1] ?? 0] as const;
      return conv2d(kernel?.[3] ?? 0, { kernel: sides, ...node.attrs });
    }
    case 'dense': {
      const kernel: Shape | undefined = node.params.kernel;
      return dense(kernel?.[1] ?? 0);
    }
    case 'batchNorm': {
      const { momentum, epsilon } = node.attrs;
      return Number.isFinite(momentum) && Number.isFinite(epsilon) ? batchNorm({ momentum, epsilon }) : bad;
    }
    case 'avgPool':
    case 'maxPool': {
      const { size, stride, padding, ...rest } = node.attrs;
      if (!isExtent(size) || !optional(stride, isExtent) || !optional(padding, isPadding)) return bad;
      if (node.op === 'maxPool') return only(rest) ? maxPool(size, node.attrs) : bad;
      const { countPadding } = node.attrs;
      return only(rest, 'countPadding') && optional(countPadding, (value) => typeof value === 'boolean')
        ? avgPool(size, node.attrs)
        : bad;
    }
    case 'leakyRelu':
      return Number.isFinite(node.attrs.slope) ? leakyRelu(node.attrs.slope) : bad;
    case 'reshape':
      return isShape(node.attrs.shape) ? reshape(node.attrs.shape) : bad;
    case 'transpose':
      return isList(node.attrs.perm) ? transpose(node.attrs.perm) : bad;
    case 'concat':
      return isCount(node.attrs.axis, 0) ? concat(node.attrs.axis, node.inputs.length) : bad;
    case 'affine': {
      const { scale, shift } = node.attrs;
      return isList(scale) && isList(shift) ? affine(scale, shift) : bad;
    }
    case 'relu':
      return relu();
    case 'sigmoid':
      return sigmoid();
    case 'tanh':
      return tanh();
    case 'softmax':
      return softmax();
    case 'add':
      return add();
    case 'flatten':
      return flatten();
    case 'globalAvgPool':
      return globalAvgPool();
    default:
      return undefined;
  }
}

/** What is wrong with a node, given the shapes of its inputs; undefined when nothing is. */
function misfitOf(node: Node, inputs: readonly Shape[]): string | undefined {
  const layer = layerOf(node);
  if (layer === undefined || typeof layer === 'string') return layer;
  const { arity = 1 } = layer;
  if (inputs.length !== arity) return `has ${inputs.length} inputs instead of ${arity}`;
  const inferred = layer.infer(...inputs);
  if (typeof inferred === 'string') return `does not fit its inputs: ${inferred}`;
  for (const part of ['shape', 'params', 'stats'] as const) {
    const [found, wanted] = [describeParts(node[part]), describeParts(inferred[part])];
    if (found !== wanted)
      return `has the ${part} ${describeValue(node[part])} instead of ${describeValue(inferred[part])}`;
  }
  return undefined;
}

/** A shape, or shapes by their names in whatever order, as a text to compare. */
const describeParts = (part: Shape | { readonly [name: string]: Shape }) =>
  JSON.stringify(Array.isArray(part) ? part : Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));

/**
 * Checks a model from an untrusted source, such as a checkpoint: names, order, and the attributes and shapes of every node with a built-in
 * op. For plug-in ops only the form of shapes is checked.
 *
 * @returns the same model
 * @throws CertError `bad-model` naming the node
 */
export function checkModel(model: Model): Model {
  const fail = (problem: string) =>
    new CertError('bad-model', problem, 'Rebuild the model with graph() or sequential(), which check every node.');
  const isRecord = (x: unknown): x is Record<string, unknown> =>
    x !== null && typeof x === 'object' && !Array.isArray(x);
  if (!isRecord(model) || !isShape(model.inputShape) || !Array.isArray(model.nodes)) throw fail('This is not a model.');
  const seen = new Map<string, Shape>([[INPUT, model.inputShape]]);
  for (const [i, node] of model.nodes.entries()) {
    if (!isRecord(node) || typeof node.name !== 'string' || typeof node.op !== 'string') {
      throw fail(`Node number ${i} has no name or no op.`);
    }
    const where = `Node ${describeValue(node.name)}`;
    if (seen.has(node.name)) throw fail(`The name ${describeValue(node.name)} is used twice.`);
    if (!isShape(node.shape)) throw fail(`${where} has the shape ${describeValue(node.shape)}.`);
    if (!Array.isArray(node.inputs) || node.inputs.length === 0) throw fail(`${where} has no inputs.`);
    for (const input of node.inputs) {
      if (!seen.has(input)) throw fail(`${where} reads ${describeValue(input)}, which does not come before it.`);
    }
    if (!isRecord(node.attrs) || !isRecord(node.params) || !isRecord(node.stats)) {
      throw fail(`${where} lacks attrs, params or stats.`);
    }
    for (const [name, shape] of Object.entries<unknown>({ ...node.params, ...node.stats })) {
      if (!isShape(shape))
        throw fail(`${describeValue(`${node.name}.${name}`)} has the shape ${describeValue(shape)}.`);
    }
    const inputs = node.inputs.map((input) => seen.get(input)!);
    const misfit = misfitOf(model.nodes[i]!, inputs);
    if (misfit !== undefined) throw fail(`${where} (${node.op}) ${misfit}.`);
    seen.set(node.name, node.shape);
  }
  const out = model.nodes.at(-1)?.shape;
  if (out?.length !== 1 || out[0] !== model.classes) {
    throw fail(
      `The last node has the shape ${describeValue(out ?? [])}, but the model has ${describeValue(model.classes)} classes.`,
    );
  }
  return model;
}
