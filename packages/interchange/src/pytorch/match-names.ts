/** Finds out which layer of a state_dict belongs to which node. */
import { CertError, describeValue, type Shape } from '@cert/core';
import type { FlatTensors } from '@cert/models';
import type { Layer } from './layers.js';

/** Layers of PyTorch, such as `features.0`, and the nodes that they are. */
export interface LayerNames {
  readonly [pytorch: string]: string;
}

const CURE =
  "Build a model with the architecture of the PyTorch model, and name the layers that cannot be told apart: { names: { 'features.0': 'conv1' } }.";

/** The error for weights that do not fit. */
export const misfit = (problem: string, cure = CURE): CertError =>
  new CertError('shape-mismatch', `The PyTorch weights do not fit the model: ${problem}.`, cure);

/** A layer of the state_dict. */
interface Found {
  readonly prefix: string;
  /** What it is, with the shape of its weights; other modules are none of ours. */
  readonly signature: string;
}

const signatureOf = (kind: Layer['kind'], shape: Shape) => `${kind} [${shape}]`;

/** The layer that has a tensor. */
const prefixOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('.')));

/** The layers of a state_dict. */
function foundIn(state: FlatTensors): readonly Found[] {
  const at = (prefix: string, name: string): Shape | undefined => {
    const key = `${prefix}.${name}`;
    return Object.hasOwn(state, key) ? state[key]!.shape : undefined;
  };
  return [...new Set(Object.keys(state).map(prefixOf))].map((prefix) => {
    const [weight, mean] = [at(prefix, 'weight'), at(prefix, 'running_mean')];
    if (mean?.length === 1) return { prefix, signature: signatureOf('BatchNorm', mean) };
    if (weight?.length === 4) return { prefix, signature: signatureOf('Conv2d', weight) };
    if (weight?.length === 2) return { prefix, signature: signatureOf('Linear', weight) };
    return { prefix, signature: 'no Conv2d, Linear or BatchNorm' };
  });
}

const wanted = ({ kind, tensors }: Layer) => signatureOf(kind, tensors[0]!.shape);

/**
 * The layer of the state_dict for each node: those that were named; the others by kind and shape, and among layers of one kind and shape by
 * their names, or by the numbers in their names and the order of the graph.
 *
 * @returns node -> layer of PyTorch
 * @throws CertError `bad-argument` for names that do not exist, `shape-mismatch` for layers that are missing, left over, or cannot be told
 * apart
 */
export function matchNames(
  layers: readonly Layer[],
  state: FlatTensors,
  names: LayerNames,
): ReadonlyMap<string, string> {
  const found = foundIn(state);
  const matched = givenNames(layers, found, names);
  const used = new Set(matched.values());
  const [open, free] = [
    layers.filter(({ node }) => !matched.has(node)),
    found.filter(({ prefix }) => !used.has(prefix)),
  ];
  const groups = new Set([...open.map(wanted), ...free.map(({ signature }) => signature)]);
  const missing: string[] = [];
  const unused: string[] = [];
  for (const signature of groups) {
    const nodes = open.filter((layer) => wanted(layer) === signature).map(({ node }) => node);
    const prefixes = free.filter((one) => one.signature === signature).map(({ prefix }) => prefix);
    if (nodes.length === prefixes.length)
      for (const [node, prefix] of paired(nodes, prefixes)) matched.set(node, prefix);
    else {
      if (nodes.length > 0) missing.push(`${nodes.length} of ${signature} (${listed(nodes)})`);
      if (prefixes.length > 0) unused.push(`${prefixes.length} of ${signature} (${listed(prefixes)})`);
    }
  }
  if (missing.length + unused.length > 0) {
    throw misfit(
      `the model needs ${missing.length === 0 ? 'no further layers' : missing.slice(0, 8).join('; ')}, and the file has ${unused.length === 0 ? 'no further layers' : unused.slice(0, 8).join('; ')}`,
    );
  }
  return matched;
}

const listed = (names: readonly string[]): string =>
  `${names
    .slice(0, 8)
    .map((name) => describeValue(name))
    .join(', ')}${names.length > 8 ? ', ...' : ''}`;

function givenNames(layers: readonly Layer[], found: readonly Found[], names: LayerNames): Map<string, string> {
  const matched = new Map<string, string>();
  for (const [prefix, node] of Object.entries(names)) {
    const bad = (problem: string, cure: string) => new CertError('bad-argument', `names: ${problem}.`, cure);
    if (!layers.some((layer) => layer.node === node)) {
      const known = listed(layers.map((layer) => layer.node));
      throw bad(`the model has no node ${describeValue(node)} with weights`, `Nodes with weights: ${known}.`);
    }
    if (!found.some((one) => one.prefix === prefix)) {
      const known = listed(found.map((one) => one.prefix));
      throw bad(`the file has no layer ${describeValue(prefix)}`, `Layers in the file: ${known}.`);
    }
    if (matched.has(node)) {
      throw bad(
        `${describeValue(matched.get(node)!)} and ${describeValue(prefix)} are both mapped to ${describeValue(node)}`,
        'Map each layer to a node of its own.',
      );
    }
    matched.set(node, prefix);
  }
  return matched;
}

/** Nodes of one kind and shape, in graph order, with as many layers of PyTorch. */
function paired(nodes: readonly string[], prefixes: readonly string[]): readonly (readonly [string, string])[] {
  const same = (node: string) => prefixes.find((prefix) => prefix === node || prefix.replaceAll('.', '_') === node);
  const byName = nodes.flatMap((node) => {
    const prefix = same(node);
    return prefix === undefined ? [] : [[node, prefix] as const];
  });
  if (byName.length === nodes.length) return byName;
  const sorted = inNumericOrder(prefixes);
  if (sorted !== undefined) return nodes.map((node, i) => [node, sorted[i]!]);
  if (byName.length === 0) {
    throw misfit(
      `${listed(prefixes)} have the same kind and shape, and their names do not tell which of the nodes ${listed(nodes)} each of them is`,
    );
  }
  const [done, used] = [byName.map(([node]) => node), byName.map(([, prefix]) => prefix)];
  return [
    ...byName,
    ...paired(
      nodes.filter((node) => !done.includes(node)),
      prefixes.filter((prefix) => !used.includes(prefix)),
    ),
  ];
}

/** Names any two of which differ first in a number, in the order of these numbers; undefined where something else decides. */
function inNumericOrder(names: readonly string[]): readonly string[] | undefined {
  const split = names.map((name) => ({ name, parts: name.split(/(\d+)/) }));
  const numbered = split.every(({ parts }, i) =>
    split.slice(i + 1).every((other) => firstDifference(parts, other.parts).every((part) => /^\d+$/.test(part))),
  );
  if (!numbered) return undefined;
  const order = (a: (typeof split)[number], b: (typeof split)[number]) => {
    const [x, y] = firstDifference(a.parts, b.parts);
    return Number(x) - Number(y);
  };
  return split.sort(order).map(({ name }) => name);
}

/** The first parts in which two names differ. */
function firstDifference(a: readonly string[], b: readonly string[]): readonly [string, string] {
  const at = a.findIndex((part, i) => part !== b[i]);
  return [a[at] ?? '', b[at] ?? ''];
}
