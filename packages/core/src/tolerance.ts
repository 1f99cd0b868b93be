import { CertError } from './errors.js';
import type { HostParams, HostTensor } from './host.js';
import { affine, concat, dense } from './layers.js';
import { graph, INPUT, type Model, type Node, sequential } from './model.js';
import { eachFeature, type PerFeature } from './per-feature.js';
import type { LinfPerturbation, Perturbation } from './perturbation-set.js';

/** A model whose class 0 says that a prediction is within a tolerance, and the parameters of the layers that were added for it. */
export interface ToleranceNetwork {
  /** The graph: the nodes of the model by their names, and four more. */
  readonly model: Model;
  /** Parameters of the nodes that were added; those of the model are beside them. */
  readonly params: HostParams;
}

/** The nodes that are added. */
const FEATURES = 'tolerance.features';
const LABEL = 'tolerance.label';
const BOTH = 'tolerance.both';
const LOGITS = 'tolerance.logits';

/**
 * Returns a regression as a classifier: the input is a row followed by its label y, the logits are 1, (f - y) / delta and (y - f) / delta.
 * Class 0 has the largest logit only where |f - y| < delta; class 1 means that the prediction f is too high, class 2 that f is too low.
 * The margin of class 0 is 1 - |f - y| / delta. Attacks, verifiers and evaluations of classifiers thereby apply to a regression: with
 * {@link withLabel} as the perturbation set, and the class 0 as the label.
 *
 * 1 / delta is rounded up to float32, so that "within the tolerance" is never claimed of a larger one.
 *
 * @param model of rows, [features], with one output
 * @param delta tolerance in the units of the output, > 0
 * @throws CertError `bad-model` for inputs of another shape or several outputs, `bad-argument` for a delta that is not positive or not a
 * float32 number
 */
export function withTolerance(model: Model, delta: number): ToleranceNetwork {
  const [size = 0] = model.inputShape;
  if (model.inputShape.length !== 1 || model.classes !== 1) {
    throw new CertError(
      'bad-model',
      `The network takes inputs of shape [${model.inputShape}] and has ${model.classes} outputs.`,
      'A tolerance applies to a regression: rows of shape [features], and one output.',
    );
  }
  const scale = Math.fround((1 / delta) * (1 + 2 ** -22));
  if (!(delta > 0 && scale >= 2 ** -126 && Number.isFinite(scale))) {
    throw new CertError('bad-argument', `delta is ${delta}.`, 'Give a number > 0 in the units of the output.');
  }
  const first = graph([size + 1]);
  first.add(dense(size), [INPUT], FEATURES);
  first.add(dense(1), [INPUT], LABEL);
  const join = graph([1]);
  join.add(concat(0), [INPUT, INPUT], BOTH);
  join.add(dense(3), [BOTH], LOGITS);
  const [both, logits] = join.build().nodes as [Node, Node];
  const own = model.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => (input === INPUT ? FEATURES : input)),
  }));
  const chosen = (outputs: number, from: number): { kernel: HostTensor; bias: HostTensor } => {
    const data = new Float32Array((size + 1) * outputs);
    for (let i = 0; i < outputs; i++) data[(from + i) * outputs + i] = 1;
    return {
      kernel: { shape: [size + 1, outputs], data },
      bias: { shape: [outputs], data: new Float32Array(outputs) },
    };
  };
  return {
    model: {
      inputShape: [size + 1],
      classes: 3,
      nodes: [
        ...first.build().nodes,
        ...own,
        { ...both, inputs: [model.nodes.at(-1)!.name, LABEL] },
        { ...logits, inputs: [BOTH] },
      ],
    },
    params: {
      [FEATURES]: chosen(size, 0),
      [LABEL]: chosen(1, size),
      [LOGITS]: {
        kernel: { shape: [2, 3], data: Float32Array.of(0, scale, -scale, 0, -scale, scale) },
        bias: { shape: [3], data: Float32Array.of(1, 0, 0) },
      },
    },
  };
}

/**
 * Returns the perturbation set of a network with a tolerance: that of the rows, with the label as one more feature that does not change.
 *
 * @param features of a row, without the label
 * @throws CertError `bad-argument` for an `l2` set, in which the label could not be kept
 */
export function withLabel(set: Perturbation, features: number): LinfPerturbation {
  if (set.kind === 'l2') {
    throw new CertError(
      'bad-argument',
      'The perturbation set is Euclidean (l2), which is not supported for a regression.',
      'Give an l-infinity set, with a radius for each feature.',
    );
  }
  const followed = (values: PerFeature, last: number) => [...eachFeature(values, [features]), last];
  const { up, down, range } = set;
  return {
    ...set,
    ...{ up: followed(up, 0), down: followed(down, 0) },
    range: range && {
      min: followed(range.min, Number.NEGATIVE_INFINITY),
      max: followed(range.max, Number.POSITIVE_INFINITY),
    },
  };
}

/** Returns the set of the rows from which {@link withLabel} made a set. @param features of a row, without the label */
export function withoutLabel(set: LinfPerturbation, features: number): LinfPerturbation {
  const own = (values: PerFeature) => eachFeature(values, [features + 1]).slice(0, features);
  const { up, down, range } = set;
  return {
    ...set,
    ...{ up: own(up), down: own(down) },
    range: range && { min: own(range.min), max: own(range.max) },
  };
}

/**
 * Returns the model with its outputs in the units of a label: a last layer `label` multiplies by the standard deviation and adds the mean, so
 * that the layers before it learn a standardized label.
 *
 * @param model with one output
 * @throws CertError `bad-model` for several outputs; `bad-argument` for a mean that is not finite or a deviation that is not positive
 */
export function withLabelUnits(model: Model, { mean, std }: { readonly mean: number; readonly std: number }): Model {
  if (model.classes !== 1) {
    throw new CertError('bad-model', `The model has ${model.classes} outputs.`, 'A regression has one output.');
  }
  if (!(Number.isFinite(mean) && std > 0 && Number.isFinite(std))) {
    throw new CertError(
      'bad-argument',
      `The label has the mean ${mean} and the standard deviation ${std}.`,
      'Give a finite mean and a finite deviation > 0.',
    );
  }
  const [scaled] = sequential([1], [affine([std], [mean])]).nodes as [Node];
  return { ...model, nodes: [...model.nodes, { ...scaled, name: UNITS, inputs: [model.nodes.at(-1)!.name] }] };
}

/** The last layer of a model in the units of its label. */
const UNITS = 'label';
