import { describeValue } from '@cert/core';
import { badLayer, badModel } from './errors.js';
import type { Call, Container, LayerSpec } from './topology.js';

/** A call of a layer, with the layer. */
export interface Task {
  readonly layer: LayerSpec;
  readonly index: number;
  readonly call: Call;
}

/** A key for a call of a layer. */
export const keyOf = (layer: string, call: number) => JSON.stringify([layer, call]);

/** The calls that the outputs depend on, each behind those that it reads. */
export function ordered({ layers, outputs, inputs }: Container): readonly Task[] {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const given = new Set(inputs.map(({ layer, call }) => keyOf(layer, call)));
  const tasks: Task[] = [];
  const state = new Map<string, 'open' | 'done'>();
  // A list in place of recursion: networks may be thousands of layers deep.
  const open = outputs.map(({ layer, call }) => ({ layer, call })).reverse();
  while (open.length > 0) {
    const { layer: name, call: index } = open.at(-1)!;
    const key = keyOf(name, index);
    const layer = byName.get(name);
    const call = layer?.calls[index];
    if (state.get(key) === 'done' || given.has(key)) {
      open.pop();
      continue;
    }
    if (layer === undefined || call === undefined) {
      throw badModel(`reads call ${index} of the layer ${describeValue(name)}, which does not exist`);
    }
    if (state.get(key) === 'open') {
      // Everything that it reads is done.
      state.set(key, 'done');
      tasks.push({ layer, index, call });
      open.pop();
      continue;
    }
    state.set(key, 'open');
    for (const ref of call.inputs.toReversed()) {
      const before = keyOf(ref.layer, ref.call);
      if (state.get(before) === 'open') throw badLayer(layer, 'which depends on its own output');
      if (state.get(before) !== 'done') open.push({ layer: ref.layer, call: ref.call });
    }
  }
  return tasks;
}
