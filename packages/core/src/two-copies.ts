import { CertError } from './errors.js';
import type { HostParams, HostTensor } from './host.js';
import { add, concat, dense } from './layers.js';
import { graph, INPUT, type Model, type Node } from './model.js';

/** A network with weights on the host. */
export interface PairedNetwork {
  /** The graph. */
  readonly model: Model;
  /** Its parameters. */
  readonly params: HostParams;
  /** Its running statistics. */
  readonly stats: HostParams;
}

/** Options of {@link twoCopies}. */
export interface TwoCopiesOptions {
  /** Index of the feature by which the inputs of the copies differ, from 0. */
  readonly feature: number;
  /**
   * Outputs of the pair: `difference`, f(x + d e) - f(x), [outputs]; `both`, f(x + d e) followed by f(x), [2 outputs]. Default
   * `difference`.
   */
  readonly output?: 'difference' | 'both';
}

/** Prefixes of the nodes of both copies. */
const [MOVED, KEPT] = ['moved.', 'kept.'];

/**
 * Returns a network that evaluates two copies of a network at inputs x and x + d e, where e is the unit vector of one feature: its inputs are
 * x followed by d. A bound of its outputs is a bound over pairs of inputs, for properties of pairs such as individual fairness.
 *
 * @param network of rows: inputs of shape [features]
 * @throws CertError `bad-argument` for a feature that does not exist, `bad-model` for a network whose inputs are not rows
 */
export function twoCopies(network: PairedNetwork, { feature, output = 'difference' }: TwoCopiesOptions): PairedNetwork {
  const { model, params, stats } = network;
  const [size = 0] = model.inputShape;
  if (model.inputShape.length !== 1) {
    throw new CertError(
      'bad-model',
      `The network takes inputs of shape [${model.inputShape}].`,
      'Two copies are supported for rows of features: inputs of shape [features].',
    );
  }
  if (!(Number.isInteger(feature) && feature >= 0 && feature < size)) {
    throw new CertError('bad-argument', `The feature is ${feature}.`, `Give an index from 0 to ${size - 1}.`);
  }
  const builder = graph([size + 1]);
  const heads = [MOVED, KEPT].map((prefix) => builder.add(dense(size), [INPUT], `${prefix}input`));
  const nodes = [MOVED, KEPT].flatMap((prefix) => model.nodes.map((node) => renamed(node, prefix)));
  const [moved, kept] = [MOVED, KEPT].map((prefix) => `${prefix}${model.nodes.at(-1)!.name}`) as [string, string];
  const { classes } = model;
  const join = graph([classes]);
  const last: Node[] = [];
  const ending: { [node: string]: { [name: string]: HostTensor } } = {};
  if (output === 'difference') {
    join.add(dense(classes), [INPUT], 'negated');
    join.add(add(), ['negated', INPUT], 'difference');
    const [negated, difference] = join.build().nodes as [Node, Node];
    last.push({ ...negated, inputs: [kept] }, { ...difference, inputs: [moved, 'negated'] });
    ending.negated = diagonal(classes, classes, -1);
  } else {
    join.add(concat(0), [INPUT, INPUT], 'both');
    const [both] = join.build().nodes as [Node];
    last.push({ ...both, inputs: [moved, kept] });
  }
  const first = builder.build().nodes;
  const step = diagonal(size + 1, size, 1);
  step.kernel!.data[size * size + feature] = 1;
  const copied = (tensors: HostParams): HostParams =>
    Object.fromEntries(
      [MOVED, KEPT].flatMap((prefix) =>
        Object.entries(tensors).map(([node, own]) => [`${prefix}${node}`, own] as const),
      ),
    );
  return {
    model: {
      inputShape: [size + 1],
      classes: output === 'difference' ? classes : 2 * classes,
      nodes: [...first, ...nodes, ...last],
    },
    params: {
      ...copied(params),
      ...{ [heads[0]!]: step, [heads[1]!]: diagonal(size + 1, size, 1), ...ending },
    },
    stats: copied(stats),
  };
}

/** A node of a copy; the input of the model becomes that of the copy. */
const renamed = (node: Node, prefix: string): Node => ({
  ...node,
  name: `${prefix}${node.name}`,
  inputs: node.inputs.map((input) => `${prefix}${input}`),
});

/** A dense layer that multiplies by a factor; further inputs have no weight. */
function diagonal(inputs: number, outputs: number, factor: number): { [name: string]: HostTensor } {
  const kernel = new Float32Array(inputs * outputs);
  for (let i = 0; i < Math.min(inputs, outputs); i++) kernel[i * outputs + i] = factor;
  return {
    kernel: { shape: [inputs, outputs], data: kernel },
    bias: { shape: [outputs], data: new Float32Array(outputs) },
  };
}
