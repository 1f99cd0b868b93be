import { type BackwardTable, nonlinearInputs } from '@cert/bounds';
import { INPUT, type Model, type Node, type Shape, sizeOf } from '@cert/core';

/** What a search needs to know of a model: where it is nonlinear. */
export interface Structure {
  /** The nodes whose bounds a relaxation reads, in order, without the input. */
  readonly bounded: readonly BoundedNode[];
  /** The elementwise nonlinear nodes: those that have lines. */
  readonly curved: readonly Node[];
}

/** A node whose bounds a relaxation reads. */
export interface BoundedNode {
  readonly name: string;
  readonly shape: Shape;
  readonly size: number;
  /** The nonlinear nodes on the ways from the input to it, by name. */
  readonly behind: readonly string[];
  /** Whether only ReLUs and linear ops read it, so that a neuron whose sign is known is linear. */
  readonly reluOnly: boolean;
}

/** Where a model is nonlinear, and what lies behind. */
export function structureOf(model: Model, table: BackwardTable): Structure {
  const names = nonlinearInputs(model);
  const curved = model.nodes.filter(({ op }) => !(op in table.rules));
  // An op may have a backward rule and read bounds, as a maximum does.
  const reads = (node: Node) => curved.includes(node) || readsBounds(model, node);
  const behind = new Map<string, ReadonlySet<string>>([[INPUT, new Set()]]);
  for (const node of model.nodes) {
    const all = new Set(node.inputs.flatMap((name) => [...behind.get(name)!]));
    if (reads(node)) all.add(node.name);
    behind.set(node.name, all);
  }
  return {
    curved,
    bounded: names
      .filter((name) => name !== INPUT)
      .map((name) => {
        const { shape } = model.nodes.find((node) => node.name === name)!;
        const readers = model.nodes.filter((node) => node.inputs.includes(name) && reads(node));
        return {
          ...{ name, shape, size: sizeOf(shape), behind: [...behind.get(name)!] },
          reluOnly: readers.every(({ op }) => op === 'relu'),
        };
      }),
  };
}

/** Whether a node alone makes its inputs count as read by something nonlinear. */
const readsBounds = (model: Model, node: Node): boolean => nonlinearInputs({ ...model, nodes: [node] }).length > 0;
