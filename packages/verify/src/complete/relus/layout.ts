import { disposeTree, type OnDevice } from '@cert/jit';
import type { Region } from '../region.js';
import { readFloats, type SearchSetting } from '../weights.js';
import { type Layout, unpackDomain, unstableOf } from './domain.js';
import type { DomainBatch, DomainBounds } from './domain-bounds.js';
import type { RootBounds } from './root-bounds.js';
import type { Structure } from './structure.js';

/** What the layout of a search depends on. */
export interface LayoutParts {
  readonly setting: SearchSetting;
  readonly structure: Structure;
  readonly functions: DomainBounds;
  readonly root: RootBounds;
  readonly region: Region;
  readonly box: OnDevice<DomainBatch['box']>;
}

/**
 * Where the numbers of the domains of a region lie, and the mixtures that stand for the usual slopes: these depend on the bounds of the neurons alone. An
 * op has mixtures where its lines are a family: of a ReLU the unstable neurons, of another op all.
 */
export async function layoutOf({ setting, structure, functions, root, region, box }: LayoutParts): Promise<{
  readonly layout: Layout;
  readonly mixtures: Float32Array;
}> {
  const { device, model, weights } = setting;
  const rows = Math.max(...region.cases.map(({ length }) => length));
  const matrix = device.put(new Float32Array(rows * model.classes), [1, rows, model.classes]);
  const usual = await functions.usual(weights, { box, at: root.device, signs: {}, matrix });
  const mixtures: { [node: string]: Float32Array } = {};
  for (const [node, { mixture }] of Object.entries(usual)) {
    if (mixture !== undefined) mixtures[node] = await readFloats(mixture);
  }
  disposeTree([matrix, usual]);

  const unstable = new Map(structure.bounded.map(({ name }) => [name, unstableOf(root.host[name]!)]));
  const everything = (size: number) => Int32Array.from({ length: size }, (_, i) => i);
  const curved = structure.curved
    .filter(({ name }) => name in mixtures)
    .map(({ name, op, shape, inputs }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return { name, shape, size, unstable: (op === 'relu' && unstable.get(inputs[0]!)) || everything(size) };
    });
  const splittable = structure.bounded
    .filter(({ name }) => functions.splittable.includes(name))
    .map(({ name, shape, size }) => ({ name, shape, size, unstable: unstable.get(name)! }));
  const layout = { rows, curved, splittable };
  return { layout, ...unpackDomain(layout, { mixtures, multipliers: {} }, 0, []) };
}
