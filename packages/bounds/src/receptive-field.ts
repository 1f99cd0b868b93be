import { INPUT, type Model, type Node, reachOf, type Shape, sizeOf, windowOf } from '@cert/core';
import type { BackwardTable } from './backward.js';
import { linearRelaxation } from './linear-relaxation.js';

declare module '@cert/core' {
  interface OpMap {
    /** A part of [H, W, C]: [height, width, C] from row `top` and column `left` on. Part of a receptive field, never of a model that is built. */
    crop: { attrs: { readonly top: number; readonly left: number }; params: never; stats: never };
    /** Zeros in place of what lies outside of the image. Part of a receptive field, never of a model that is built. */
    inside: { attrs: object; params: never; stats: never };
  }
}

/** Rows, then columns. */
type Pair = readonly [number, number];

/**
 * The part of a node that neurons at one place of another node depend on: for the place p, along each axis, `size` positions from
 * p * stride - offset on. Some may lie outside of the node.
 */
export interface NodeWindow {
  /** Height and width. */
  readonly size: Pair;
  /** Positions from the window of one place to that of the next. */
  readonly stride: Pair;
  /** Positions of the window of place 0 before position 0. */
  readonly offset: Pair;
}

/** What the neurons at one place of a node depend on, as a network of its own. */
export interface ReceptiveField {
  /** Its input is the part of the input, its last node the node in question at that place, [1, 1, channels]. Names are those of the network. */
  readonly model: Model;
  /** By node of it, `input` included, which part of the network's node it is. */
  readonly windows: ReadonlyMap<string, NodeWindow>;
}

/** How much of the network's nodes, in numbers, a receptive field may take to be worth it. */
const WORTHWHILE = 0.7;

/**
 * The receptive field of the neurons at one place of a node [height, width, channels], for a backward walk: convolutions in it have no padding.
 * Places outside of the image count as 0, which lines of slope 0 see to, or a node `inside`.
 *
 * @param table the rules of the walk: ops of a plug-in must have lines
 * @returns undefined where there is none: another op on the way, such as a dense layer; or where it takes up most of the network
 */
export function receptiveField(table: BackwardTable, model: Model, name: string): ReceptiveField | undefined {
  const end = model.nodes.findIndex((node) => node.name === name);
  if (model.nodes[end]?.shape.length !== 3) return undefined;
  const wanted = new Map<string, NodeWindow[]>([[name, [{ size: [1, 1], stride: [1, 1], offset: [0, 0] }]]]);
  const windows = new Map<string, NodeWindow>();
  const parts: Node[] = [];
  for (const node of model.nodes.slice(0, end + 1).reverse()) {
    const window = hullOf(wanted.get(node.name));
    if (window === undefined) continue;
    if (window === 'uneven' || !isLocal(table, node)) return undefined;
    const reads = windowRead(node, window);
    windows.set(node.name, window);
    parts.push({ ...without(node), shape: [...window.size, node.shape[2]!] } as Node);
    for (const input of node.inputs) wanted.set(input, [...(wanted.get(input) ?? []), reads]);
  }
  const input = hullOf(wanted.get(INPUT));
  if (input === undefined || input === 'uneven') return undefined;
  windows.set(INPUT, input);
  const shapes = new Map([[INPUT, model.inputShape], ...model.nodes.map((node) => [node.name, node.shape] as const)]);
  const numbers = (shape: (of: string) => Shape) => [...windows.keys()].reduce((sum, of) => sum + sizeOf(shape(of)), 0);
  const own = (of: string): Shape => [...windows.get(of)!.size, shapes.get(of)![2]!];
  if (numbers(own) > WORTHWHILE * numbers((of) => shapes.get(of)!)) return undefined;
  return joined(table, model, { parts: parts.reverse(), windows, own });
}

/** The smallest window that holds all of them; `uneven` where places are not equally far apart. */
function hullOf(all: readonly NodeWindow[] | undefined): NodeWindow | 'uneven' | undefined {
  if (all === undefined) return undefined;
  const [{ stride }] = all as [NodeWindow];
  if (all.some((one) => one.stride.some((n, axis) => n !== stride[axis]))) return 'uneven';
  const along = (axis: 0 | 1) => {
    const offset = Math.max(...all.map((one) => one.offset[axis]));
    return { offset, size: Math.max(...all.map((one) => one.size[axis] - one.offset[axis])) + offset };
  };
  const [down, across] = [along(0), along(1)];
  return { size: [down.size, across.size], stride, offset: [down.offset, across.offset] };
}

/** Linear ops that see windows of [height, width, channels]. */
const LINEAR = ['add', 'affine', 'avgPool', 'batchNorm', 'conv2d'] as const;

/** Whether a node's rows may be passed back in windows. */
function isLocal(table: BackwardTable, node: Node): boolean {
  if (hasLines(table, node)) return true;
  if (node.op === 'affine') return node.attrs.scale.length === node.shape[2];
  if (node.op === 'avgPool' && !node.attrs.countPadding && windowOf(node).padding.some((n) => n > 0)) return false;
  return LINEAR.some((op) => op === node.op && table.rules[op] === linearRelaxation.rules[op]);
}

const hasLines = ({ rules, lines }: BackwardTable, { op }: Node): boolean => op in lines && !(op in rules);

/** What a window of a node reads of each of the node's inputs. */
function windowRead(node: Node, { size, stride, offset }: NodeWindow): NodeWindow {
  if (node.op !== 'conv2d' && node.op !== 'avgPool') return { size, stride, offset };
  const own = windowOf(node);
  const reach = reachOf(own);
  const [top, , left] = own.padding;
  const pair = (f: (axis: 0 | 1) => number): Pair => [f(0), f(1)];
  return {
    size: pair((axis) => (size[axis] - 1) * own.stride[axis] + reach[axis]),
    stride: pair((axis) => stride[axis] * own.stride[axis]),
    offset: pair((axis) => offset[axis] * own.stride[axis] + [top, left][axis]!),
  };
}

/** The node without padding. */
function without(node: Node): Node {
  if (node.op === 'conv2d') return { ...node, attrs: { ...node.attrs, padding: 0 } };
  if (node.op === 'avgPool') return { ...node, attrs: { size: node.attrs.size, stride: windowOf(node).stride } };
  return node;
}

/** The parts as a network: where a node reads less than the whole window of another one, or beyond the image, a node in between sees to that. */
function joined(
  table: BackwardTable,
  model: Model,
  { parts, windows, own }: { parts: readonly Node[]; windows: Map<string, NodeWindow>; own: (of: string) => Shape },
): ReceptiveField {
  const originals = new Map(model.nodes.map((node) => [node.name, node]));
  const between = { params: {}, stats: {} };
  const nodes: Node[] = [];
  for (const part of parts) {
    const node = originals.get(part.name)!;
    const reads = windowRead(node, windows.get(node.name)!);
    const padded = (node.op === 'conv2d' || node.op === 'avgPool') && windowOf(node).padding.some((n) => n > 0);
    const inputs = node.inputs.map((input, i) => {
      let source = input;
      const producer = originals.get(input);
      if (padded && producer !== undefined && !hasLines(table, producer)) {
        const name = `${input}, inside, for ${node.name}`;
        nodes.push({ ...between, name, op: 'inside', inputs: [source], attrs: {}, shape: own(input) });
        windows.set(name, windows.get(input)!);
        source = name;
      }
      const { size, offset } = windows.get(input)!;
      if (size.every((n, axis) => n === reads.size[axis])) return source;
      const [top, left] = [offset[0] - reads.offset[0], offset[1] - reads.offset[1]];
      const name = `${input}, input ${i} of ${node.name}`;
      const shape = [...reads.size, own(input)[2]!];
      nodes.push({ ...between, name, op: 'crop', inputs: [source], attrs: { top, left }, shape });
      windows.set(name, reads);
      return name;
    });
    nodes.push({ ...part, inputs });
  }
  return { model: { inputShape: own(INPUT), classes: nodes.at(-1)!.shape[2]!, nodes }, windows };
}
