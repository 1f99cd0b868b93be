/** The graphs of network files, of checkpoints and of ONNX files, in one form, and the layers of a network from it. */
import { sha256 } from './bytes.js';
import { type Layer, same, sizeOf, type Value } from './layers.js';
import { type Attributes, type Constant, type Input, isValue, RULES } from './ops.js';
import { demand, within } from './refused.js';

/** What a network file says. */
export interface Graph {
  /** The name of the input, and the shape of one example. */
  readonly input: string;
  readonly inputShape: readonly number[];
  /** Images have the shape [height, width, channels] and lie so in memory; otherwise [1, channels, height, width], and the first dimension counts examples. */
  readonly channelsLast: boolean;
  readonly tensors: ReadonlyMap<string, Constant>;
  /** Each after those that it reads: values and tensors by name, '' for one that is left out. The shape is what the file declares, if it does. */
  readonly nodes: readonly {
    readonly name: string;
    readonly op: string;
    readonly inputs: readonly string[];
    readonly attributes: Attributes;
    readonly shape?: readonly number[];
  }[];
  /** The name of the logits. */
  readonly output: string;
}

/** A network that bounds can be computed for. */
export type Network = Awaited<ReturnType<typeof networkOf>>;

/** @throws Refused for all that is not a complete network of known ops */
export async function networkOf({ input, inputShape, channelsLast, tensors, nodes, output }: Graph) {
  const shape = channelsLast ? inputShape : [1, ...inputShape];
  const size = sizeOf(shape);
  demand(size <= 2 ** 26, `the input has the shape [${inputShape}], more than 2^26 numbers`);
  const first: Value = { layer: { kind: 'input', name: input, inputs: [], size }, shape, channelsLast };
  const values = new Map<string, Input>([[input, first], ...tensors, ['', undefined]]);
  for (const { name, op, inputs, attributes, shape: declared } of nodes) {
    within(`node "${name}" (${op})`, () => {
      demand(!values.has(name), 'another value has this name');
      const missing = inputs.find((each) => !values.has(each));
      demand(missing === undefined, `the input "${missing}" does not come before the node`);
      demand(Object.hasOwn(RULES, op), 'no rule for this op');
      const read = inputs.map((each) => values.get(each));
      const made = RULES[op]!(read, attributes, name);
      const fits = declared === undefined || (isValue(made) && same(made.shape, declared));
      demand(fits, `the shape is [${made?.shape}], not as declared`);
      values.set(name, made);
    });
  }
  const logits = values.get(output);
  demand(isValue(logits), 'the network does not have one output');
  const classes = logits.layer.size;
  demand(classes >= 1 && logits.shape.at(-1) === classes, `the output has the shape [${logits.shape}], no logits`);
  const hashes = new Map<string, string>();
  for (const [name, { bytes }] of tensors) hashes.set(name, await sha256(bytes));
  return { inputShape, classes, layers: layersBehind(logits.layer), tensors: hashes };
}

/** The layers that a layer needs, each after its inputs, itself last. A convolution that went into the normalization after it is not among them. */
function layersBehind(layer: Layer, found = new Set<Layer>()): readonly Layer[] {
  for (const input of layer.inputs) if (!found.has(input)) layersBehind(input, found);
  return [...found.add(layer)];
}
