import {
  type BatchNormStats,
  type BoundMethod,
  flattenTree,
  INPUT,
  type IntervalTensor,
  type Model,
  type Params,
  type Spec,
  type Tensor,
  type Tensor3D,
  type Tree,
  tf,
  unflattenTree,
} from '@cert/core';
import { type Forward, failure, guarded } from './conformance.js';
import { type Compiled, type CompilingDevice, compile, compileFailure } from './device.js';
import { evaluate, sameShape, type Values } from './host.js';

/** Lower and upper bounds on the host. */
export interface HostBox {
  readonly lower: Values;
  readonly upper: Values;
}

/** The place of a model's output among the bounds: the logits, or the specification's rows. */
export const OUTPUT = '(output)';

/** The tensors that a call of a bound method takes. */
type CallTensors = {
  /** Parameters of the model. */
  readonly params: Params;
  /** Statistics for every batchNorm node. */
  readonly norm: BatchNormStats;
  /** [batch, ...inputShape]. */
  readonly box: IntervalTensor;
  /** [batch, rows, classes]; without, the logits are bounded. */
  readonly spec?: Spec;
};

/**
 * Where bounds are computed. `bounds` reads no value and depends on the model alone, so that it may be compiled once for each model;
 * it returns named tensors, whose values are asked for.
 */
type EvaluateBounds = (
  model: Model,
  bounds: (tensors: CallTensors) => { readonly [name: string]: Tensor },
  tensors: CallTensors,
) => Promise<{ readonly [name: string]: Values }>;

/** Where bounds are computed when they are not computed eagerly. */
export interface Evaluator {
  readonly device: CompilingDevice;
  readonly evaluate: EvaluateBounds;
  /** Frees what was compiled. */
  dispose(): Promise<void>;
}

/** Computes bounds on a device, compiled once for each model and kind of call. */
export function compiledBounds(device: CompilingDevice): Evaluator {
  const made = new Map<Model, { [structure: string]: Compiled }>();
  return {
    device,
    async evaluate(model, bounds, tensors) {
      const tree = tensors as Tree<Tensor>;
      const leaves = flattenTree<Tensor>(tree);
      const structure = leaves.map(({ path }) => path).join();
      const known = made.get(model) ?? {};
      made.set(model, known);
      known[structure] ??= compile(device, (list) => bounds(unflattenTree<Tensor>(tree, [...list]) as CallTensors));
      return known[structure]!.call(leaves.map(({ value }) => value));
    },
    async dispose() {
      for (const each of made.values()) for (const compiled of Object.values(each)) await compiled.dispose();
    },
  };
}

/** Everything that one call of a bound method takes. */
export interface BoundCall extends CallTensors {
  readonly method: BoundMethod;
  readonly model: Model;
  /** Default: eagerly, on the current backend of TensorFlow.js. */
  readonly evaluator?: Evaluator;
}

const eagerly: EvaluateBounds = (_, bounds, tensors) => evaluate(() => bounds(tensors));

/** Calls the method and returns its bounds as tensors by name: `node/lower`, `node/upper`, and {@link OUTPUT}. */
export function boundTensors(call: BoundCall, where: string): { readonly [name: string]: Tensor } {
  const { method, model, params, norm, box, spec } = call;
  const who = method.name;
  const bounds = guarded(who, where, () => method.bound({ network: { model, params, norm }, box, spec }));
  const batch = box.lower.shape[0]!;
  const expected = new Map<string, number[]>([[INPUT, [batch, ...model.inputShape]]]);
  for (const node of model.nodes.slice(0, -1)) expected.set(node.name, [batch, ...node.shape]);
  expected.set(OUTPUT, spec ? spec.matrix.shape.slice(0, 2) : [batch, model.classes]);

  const named: { [name: string]: Tensor } = {};
  for (const [node, shape] of expected) {
    const interval = node === OUTPUT ? bounds.output : bounds.at[node];
    for (const side of ['lower', 'upper', 'center', 'radius'] as const) {
      const tensor = interval?.[side];
      if (tensor === undefined) {
        if (side === 'center' || side === 'radius') continue;
        throw failure(
          'broken-contract',
          who,
          `${where}, node "${node}"`,
          `there is no ${side} bound.`,
          'Return the bounds of every node except the last in `at`, the bounds of the last node as `output`, and the box as `at.input`.',
        );
      }
      if (!sameShape(tensor.shape, shape)) {
        throw failure(
          'shape-mismatch',
          who,
          `${where}, node "${node}"`,
          `the ${side} bound has the shape [${tensor.shape}] instead of [${shape}].`,
          'Return bounds in the shape of the bounded values, with the batch axis first.',
        );
      }
      named[`${node}/${side}`] = tensor;
    }
  }
  return named;
}

/** The bounds at every node in graph order, {@link OUTPUT} last. Frees every tensor. */
export async function hostBounds(call: BoundCall, where: string): Promise<Map<string, HostBox>> {
  const { method, model, params, norm, box, spec, evaluator } = call;
  const evaluateBounds = evaluator?.evaluate ?? eagerly;
  const values = await evaluateBounds(model, (tensors) => boundTensors({ method, model, ...tensors }, where), {
    ...{ params, norm, box },
    ...(spec && { spec }),
  }).catch((error: unknown) => {
    throw evaluator === undefined ? error : compileFailure(error, method.name, where, evaluator.device.name);
  });
  const nodes = [INPUT, ...call.model.nodes.slice(0, -1).map((node) => node.name), OUTPUT];
  return new Map(nodes.map((node) => [node, { lower: values[`${node}/lower`]!, upper: values[`${node}/upper`]! }]));
}

/** The values at every node under the names of {@link hostBounds}; with a specification, its rows at the output. */
export function forwardTensors(
  forward: Forward,
  call: Omit<BoundCall, 'method' | 'box'>,
  images: Tensor,
): { readonly [node: string]: Tensor } {
  const { output, at } = forward({ model: call.model, params: call.params, norm: call.norm }, images);
  const named: { [node: string]: Tensor } = { [INPUT]: images };
  for (const node of call.model.nodes.slice(0, -1)) named[node.name] = at[node.name]!;
  named[OUTPUT] = call.spec ? applySpec(call.spec, output) : output;
  return named;
}

/** Rows of the specification times the logits: [batch, rows]. */
const applySpec = (spec: Spec, logits: Tensor): Tensor => tf.sum(tf.mul(spec.matrix, tf.expandDims(logits, 1)), 2);

/** The specification with the rows of image `owners[i]` at place i. */
export const gatherSpec = (spec: Spec, owners: readonly number[]): Spec => ({
  matrix: tf.gather(spec.matrix, tf.tensor1d([...owners], 'int32')) as Tensor3D,
});

/** For each label y the rows e_y - e_j of every other class j, as plain loops: [batch, classes - 1, classes]. */
export function margins(labels: readonly number[], classes: number): Spec {
  const rows = labels.map((label) =>
    Array.from({ length: classes }, (_, j) => j)
      .filter((j) => j !== label)
      .map((other) => Array.from({ length: classes }, (_, j) => (j === label ? 1 : j === other ? -1 : 0))),
  );
  return { matrix: tf.tensor3d(rows.flat(2), [labels.length, classes - 1, classes]) };
}
