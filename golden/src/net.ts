import {
  add,
  batchNorm,
  conv2d,
  dense,
  flatten,
  type GraphBuilder,
  graph,
  INPUT,
  type Layer,
  type Model,
  relu,
  type Shape,
} from '@cert/core';
import type { Field, Numbers } from './field.js';
import { activation, convKernel, denseKernelAfter, features, type Placement } from './layout.js';

/** A tree of numbers of the form of `Params`. */
export type NumberTree = { readonly [node: string]: { readonly [name: string]: Numbers } };

/** Where a tensor of the file lives in the model, and how it gets into our layout. */
interface Slot {
  readonly node: string;
  readonly name: string;
  convert(tensor: Numbers): Numbers;
}

/** A net of a file as a model. */
export interface Net {
  readonly model: Model;
  readonly params: NumberTree;
  readonly stats: NumberTree;
  /** Parameters by PyTorch's name ("3.weight"). */
  readonly paramSlots: ReadonlyMap<string, Slot>;
  /** Running statistics by PyTorch's name ("1.running_mean"). */
  readonly statSlots: ReadonlyMap<string, Slot>;
  /** Brings [batch, ...] activations at a node (or `input`) into our layout. */
  activation(node: string, tensor: Numbers): Numbers;
  /** Biases that a BatchNorm follows, directly or after flattening, by PyTorch's name: their true gradient is zero. */
  readonly biasesBeforeNorm: ReadonlySet<string>;
}

/** The placement of an input whose shape is PyTorch's, batch axis included: [batch, features] or [batch, c, h, w]. */
function inputPlacement(x: Field): { readonly shape: Shape; readonly placement: Placement } {
  const shape = x.tensor().shape;
  if (shape.length === 2) return { shape: [shape[1]!], placement: { flat: true } };
  if (shape.length !== 4) throw x.wrong(`has the shape [${shape}]; [batch, features] and [batch, c, h, w] are known`);
  const image = [shape[2]!, shape[3]!, shape[1]!] as const;
  return { shape: image, placement: { image, flat: false } };
}

/** Residual blocks and the number of their convolutions, each with a BatchNorm: `conv1`, `bn1`, relu, `conv2`, `bn2`, ... */
const BLOCKS: { readonly [type: string]: number } = { basic_block: 2, resnext_block: 3 };

/** Reads `net`: a chain of layers and blocks. `x` gives the input's shape; `front` is put in front of them, in our layout. */
export function readNet(net: Field, x: Field, front: readonly Layer[] = []): Net {
  const { shape, placement } = inputPlacement(x);
  const builder = graph(shape);
  const first = front.reduce((node, layer) => builder.add(layer, [node]), INPUT);
  const reader = new NetReader(builder, first, placement);
  for (const [i, layer] of net.list().entries())
    reader.add(layer, layer.has('name') ? layer.get('name').text() : `${i}`);
  return reader.finish();
}

class NetReader {
  private readonly params: { [node: string]: { [name: string]: Numbers } } = {};
  private readonly stats: { [node: string]: { [name: string]: Numbers } } = {};
  private readonly paramSlots = new Map<string, Slot>();
  private readonly statSlots = new Map<string, Slot>();
  private readonly placements = new Map<string, Placement>();
  private readonly biasesBeforeNorm = new Set<string>();
  private lastBias: string | undefined;

  /** @param node the one that feeds what is added next */
  constructor(
    private readonly builder: GraphBuilder,
    private node: string,
    placement: Placement,
  ) {
    this.placements.set(INPUT, placement);
    this.placements.set(node, placement);
  }

  add(layer: Field, name: string): void {
    const type = layer.get('type').text();
    if (Object.hasOwn(BLOCKS, type)) this.addBlock(layer, name, BLOCKS[type]!);
    else this.addLayer(layer, type, name);
  }

  private addBlock(block: Field, name: string, convolutions: number): void {
    const input = this.node;
    for (let i = 1; i <= convolutions; i++) {
      if (i > 1) this.append(relu(), `relu_${name}.relu${i - 1}`);
      for (const part of [`conv${i}`, `bn${i}`]) this.add(block.get(part), `${name}.${part}`);
    }
    const main = this.node;
    this.goOnFrom(input);
    const shortcut = block.get('shortcut');
    if (shortcut.value !== null) {
      for (const [i, layer] of shortcut.list().entries()) this.add(layer, `${name}.shortcut.${i}`);
    }
    this.append(add(), `add_${name}`, [main, this.node]);
    this.append(relu(), `relu_${name}`);
  }

  private addLayer(layer: Field, type: string, name: string): void {
    const node = `${type}_${name}`;
    const before = this.placements.get(this.node)!;
    const bias = this.lastBias;
    if (type === 'conv2d') {
      const [filters, , kernel] = layer.get('weight').tensor().shape as [number, number, number];
      const [stride, padding, groups] = ['stride', 'padding', 'groups'].map((key) => layer.get(key).number());
      this.append(conv2d(filters, { kernel, stride: stride!, padding: padding!, groups: groups! }), node);
      this.weigh(layer, name, node, 'kernel', convKernel);
      this.lastBias = `${name}.bias`;
    } else if (type === 'linear') {
      this.append(dense(layer.get('weight').tensor().shape[0]!), node, [this.node], { flat: true });
      this.weigh(layer, name, node, 'kernel', (weight) => denseKernelAfter(weight, before));
      this.lastBias = `${name}.bias`;
    } else if (type === 'batchnorm2d' || type === 'batchnorm1d') {
      const [momentum, epsilon] = [layer.get('momentum').number(), layer.get('eps').number()];
      this.append(batchNorm({ momentum, epsilon }), node);
      const convert = (vector: Numbers) => features(vector, before);
      this.weigh(layer, name, node, 'gamma', convert);
      this.set(this.stats, this.statSlots, layer, name, 'running_mean', { node, name: 'mean', convert });
      this.set(this.stats, this.statSlots, layer, name, 'running_var', { node, name: 'variance', convert });
      if (bias !== undefined) this.biasesBeforeNorm.add(bias);
    } else if (type === 'relu') {
      this.append(relu(), node);
    } else if (type === 'flatten') {
      this.append(flatten(), node, [this.node], { ...before, flat: true });
      this.lastBias = bias;
    } else {
      throw layer.wrong(`is a layer of the unknown type "${type}"`);
    }
  }

  /** Adds a layer; without a `placement` its output lies as an image or, for a vector, as its input does. */
  private append(layer: Layer, node: string, inputs: readonly string[] = [this.node], placement?: Placement): void {
    const before = this.placements.get(inputs[0]!)!;
    this.builder.add(layer, inputs, node);
    this.placements.set(node, placement ?? this.imageOf(node) ?? before);
    this.goOnFrom(node);
  }

  private goOnFrom(node: string): void {
    this.node = node;
    this.lastBias = undefined;
  }

  finish(): Net {
    const { params, stats, paramSlots, statSlots, placements, biasesBeforeNorm } = this;
    const place = (node: string, tensor: Numbers) => activation(tensor, placements.get(node)!);
    return { model: this.builder.build(), params, stats, paramSlots, statSlots, activation: place, biasesBeforeNorm };
  }

  private weigh(layer: Field, name: string, node: string, weight: string, convert: Slot['convert']): void {
    const bias = weight === 'gamma' ? { node, name: 'beta', convert } : { node, name: 'bias', convert: same };
    this.set(this.params, this.paramSlots, layer, name, 'weight', { node, name: weight, convert });
    this.set(this.params, this.paramSlots, layer, name, 'bias', bias);
  }

  private set(
    tree: { [node: string]: { [name: string]: Numbers } },
    slots: Map<string, Slot>,
    layer: Field,
    name: string,
    field: string,
    slot: Slot,
  ): void {
    tree[slot.node] ??= {};
    tree[slot.node]![slot.name] = slot.convert(layer.get(field).tensor());
    slots.set(`${name}.${field}`, slot);
  }

  private imageOf(node: string): Placement | undefined {
    const [h, w, c] = this.builder.shapeOf(node);
    return c === undefined ? undefined : { image: [h!, w!, c], flat: false };
  }
}

const same = (tensor: Numbers): Numbers => tensor;
