import { describeValue } from '@cert/core';
import { isJson, type Json } from './config.js';
import { badModel } from './errors.js';

/** A model, or a model used as a layer, as a graph of calls of layers. */
export interface Container {
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

/** A layer, and how often it is called. */
export interface LayerSpec {
  readonly name: string;
  readonly className: string;
  readonly config: Json;
  readonly calls: readonly Call[];
  /** The layers of a model that is used as a layer. */
  readonly container?: Container;
}

/** One call of a layer. */
export interface Call {
  readonly inputs: readonly TensorRef[];
  /** Arguments that are not tensors. */
  readonly kwargs: Json;
}

/** An output of a call of a layer. */
export interface TensorRef {
  readonly layer: string;
  /** Counts the calls of the layer. */
  readonly call: number;
  /** Counts the outputs of the call. */
  readonly tensor: number;
}

const CONTAINERS = ['Sequential', 'Functional', 'Model'];

/** Models inside models inside models. */
const MOST_NESTED = 20;

/**
 * The layers of a model, from its topology: the part `modelTopology` of `model.json`, or what `toJSON` of a LayersModel returns. Reads what
 * TensorFlow.js, Keras 2 and Keras 3 write.
 *
 * @throws CertError `bad-file` for anything else, naming the part
 */
export function readTopology(topology: unknown): Container {
  if (!isJson(topology)) throw badModel(`has the topology ${describeValue(topology ?? null)}`);
  const model = isJson(topology.model_config) ? topology.model_config : topology;
  return readContainer(model, 'the topology', 0);
}

function readContainer(value: Json, where: string, depth: number): Container {
  const { class_name: className } = value;
  if (typeof className !== 'string' || !CONTAINERS.includes(className)) {
    throw badModel(
      `has ${where} of the class ${describeValue(className ?? null)}`,
      'Give a Sequential or functional model; a subclassed model has no graph that can be read.',
    );
  }
  if (depth > MOST_NESTED) throw badModel(`has models nested deeper than ${MOST_NESTED} levels`);
  // Old versions of Keras have the list of layers in the place of the configuration.
  const config = Array.isArray(value.config) ? { layers: value.config } : value.config;
  if (!isJson(config) || !Array.isArray(config.layers)) throw badModel(`has no list of layers in ${where}`);
  const name = typeof config.name === 'string' ? config.name : className;
  const layers = config.layers.map((layer: unknown, i) => readLayer(layer, `layer number ${i} of ${where}`, depth));
  const twice = layers.find((layer, i) => layers.findIndex((other) => other.name === layer.name) < i);
  if (twice !== undefined) throw badModel(`has two layers with the name ${describeValue(twice.name)}`);
  if (layers.length === 0) throw badModel(`has no layers in ${where}`);
  if (className === 'Sequential') return chained(name, layers, config);
  const container = {
    name,
    layers,
    inputs: readEnds(config.input_layers, `"input_layers" of ${where}`),
    outputs: readEnds(config.output_layers, `"output_layers" of ${where}`),
  };
  return withCallsFromZero(container);
}

function readLayer(value: unknown, where: string, depth: number): LayerSpec {
  if (!isJson(value) || typeof value.class_name !== 'string') throw badModel(`has no class of ${where}`);
  const { class_name: className, config } = value;
  const given = isJson(config) ? config : {};
  const name = value.name ?? given.name;
  if (typeof name !== 'string' || name === '') throw badModel(`has no name of ${where} (${className.slice(0, 40)})`);
  const calls = Array.isArray(value.inbound_nodes)
    ? value.inbound_nodes.map((call: unknown) => readCall(call, `layer ${describeValue(name)}`))
    : [];
  const spec = { name, className, config: given, calls };
  if (!CONTAINERS.includes(className)) return spec;
  return { ...spec, container: readContainer(value, `the layer ${describeValue(name)}`, depth + 1) };
}

/** The layers of a sequential model as a graph. */
function chained(name: string, given: readonly LayerSpec[], config: Json): Container {
  const [first] = given as readonly [LayerSpec, ...LayerSpec[]];
  const ref = (layer: LayerSpec): TensorRef => ({ layer: layer.name, call: 0, tensor: 0 });
  const shape = first.config.batch_input_shape ?? config.build_input_shape ?? inputShapeIn(first.container);
  const input: LayerSpec = {
    name: `${first.name}_input`,
    className: 'InputLayer',
    config: { ...(shape !== undefined && { batch_input_shape: shape }) },
    calls: [],
  };
  const all = first.className === 'InputLayer' ? given : [input, ...given];
  const layers = all.map((layer, i) => ({
    ...layer,
    calls: i === 0 ? [] : [{ inputs: [ref(all[i - 1]!)], kwargs: {} }],
  }));
  return { name, layers, inputs: [ref(layers[0]!)], outputs: [ref(layers.at(-1)!)] };
}

/** The shape of the one input of a model that is the first layer of another. */
function inputShapeIn(container: Container | undefined): unknown {
  const input = container?.layers.find(({ name }) => name === container.inputs[0]?.layer);
  return input?.config.batch_input_shape ?? input?.config.batch_shape;
}

/** Calls of models count from 1 in files, because building a model counts as its first call; here they count from 0 as those of layers. */
function withCallsFromZero(container: Container): Container {
  const models = new Map(container.layers.filter(({ container: own }) => own).map((layer) => [layer.name, layer]));
  const all = [...container.layers.flatMap(({ calls }) => calls.flatMap(({ inputs }) => inputs)), ...container.outputs];
  const offset = (name: string): number => {
    const calls = models.get(name)?.calls.length;
    return calls !== undefined && all.some(({ layer, call }) => layer === name && call === calls) ? 1 : 0;
  };
  const offsets = new Map([...models.keys()].map((name) => [name, offset(name)]));
  const shifted = (ref: TensorRef) => ({ ...ref, call: ref.call - (offsets.get(ref.layer) ?? 0) });
  return {
    ...container,
    layers: container.layers.map((layer) => ({
      ...layer,
      calls: layer.calls.map((call) => ({ ...call, inputs: call.inputs.map(shifted) })),
    })),
    outputs: container.outputs.map(shifted),
  };
}

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** [name, call, tensor] of a layer; undefined for anything else. */
function readRef(value: unknown): TensorRef | undefined {
  if (!Array.isArray(value)) return undefined;
  const [layer, call, tensor] = value;
  return typeof layer === 'string' && isIndex(call) && isIndex(tensor) ? { layer, call, tensor } : undefined;
}

/** The inputs or outputs of a model: a list of references, or one. */
function readEnds(value: unknown, where: string): readonly TensorRef[] {
  const single = readRef(value);
  const refs = single === undefined && Array.isArray(value) ? value.map(readRef) : [single];
  if (refs.length === 0 || refs.some((ref) => ref === undefined)) {
    throw badModel(`has ${describeValue(value ?? null)} as ${where}`);
  }
  return refs as readonly TensorRef[];
}

/** One call: a list of references with arguments behind them, or an object of the newer versions of Keras. */
function readCall(value: unknown, where: string): Call {
  if (Array.isArray(value)) {
    // One input need not be in a list of its own.
    const list: readonly unknown[] = readRef(value) === undefined ? value : [value];
    const inputs = list.map((each) => readRef(each));
    if (!inputs.some((ref) => ref === undefined)) {
      const kwargs = list.map((each) => (each as readonly unknown[])[3]).filter(isJson);
      return { inputs: inputs as readonly TensorRef[], kwargs: Object.assign({}, ...kwargs) };
    }
  } else if (isJson(value) && Array.isArray(value.args)) {
    const tensors = value.args.flat().map(tensorOf);
    if (!tensors.some((ref) => ref === undefined)) {
      return { inputs: tensors as readonly TensorRef[], kwargs: isJson(value.kwargs) ? value.kwargs : {} };
    }
  }
  throw badModel(`has a call of the ${where} that cannot be read: ${describeValue(value ?? null)}`);
}

/** A tensor in the newer form. */
function tensorOf(value: unknown): TensorRef | undefined {
  return isJson(value) && isJson(value.config) ? readRef(value.config.keras_history) : undefined;
}
