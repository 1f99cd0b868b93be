import { disposeTree, type OnDevice } from '@cert/jit';
import type { HostNetwork } from '../host-network.js';
import type { Region } from '../region.js';
import type { SearchControl } from '../search.js';
import type { HostSides, SearchSetting } from '../weights.js';
import type { Domain } from './domain.js';
import { createDomainBounds, type DomainBatch } from './domain-bounds.js';
import { searchDomains } from './domain-search.js';
import type { RootBounder, RootBounds } from './root-bounds.js';
import { structureOf } from './structure.js';
import { createTurns } from './turns.js';

/** What is to be refined, and for how long. */
export interface RefineOptions {
  /** The box of inputs, and its region. */
  readonly region: Region;
  readonly box: OnDevice<DomainBatch['box']>;
  /** Bounds to begin with; disposed, and their host side changed. */
  readonly root: RootBounds;
  /** Parts that are split for each side of a neuron, at most. */
  readonly visits: number;
  /** Steps in which slopes are optimized for the layers behind a refined one. */
  readonly iterations: number;
  readonly control: Pick<SearchControl, 'deadline' | 'mostOpen' | 'signal'>;
}

/** A side of a neuron whose bound is more than this many times as far from 0 as the other one changes its lines too little to be refined. */
const FARTHEST = 4;
/** Steps in which the slopes of a neuron's bound are optimized before it is split. */
const ITERATIONS = 20;

/**
 * Tightens bounds of the neurons of hidden dense layers by branch and bound over the layers in front, which a linear program or CROWN alone cannot: the
 * smallest bound over the open parts of a neuron is a bound of the neuron at any time.
 *
 * @param network that of `setting` on the host
 */
export function createRefinement(setting: SearchSetting, network: HostNetwork, roots: RootBounder) {
  const { model, rules, weights } = setting;
  const layers = structureOf(model, rules.linearRelaxation)
    .bounded.filter(({ behind, shape, reluOnly }) => behind.length > 0 && shape.length === 1 && reluOnly)
    .map(({ name, size }) => {
      const nodes = model.nodes.slice(0, model.nodes.findIndex((node) => node.name === name) + 1);
      const own = { ...setting, model: { ...model, nodes, classes: size } };
      const structure = structureOf(own.model, rules.linearRelaxation);
      const functions = createDomainBounds(own, structure);
      return { name, size, setting: own, network: { ...network, model: own.model }, structure, functions };
    });

  return {
    /** Whether there is a layer to refine. */
    possible: layers.length > 0,
    async refine({ region, box, root: first, visits, iterations, control }: RefineOptions): Promise<RootBounds> {
      let root = first;
      // Nothing that is told of the property's own search is told of these.
      const { deadline, mostOpen, signal } = control;
      const limits = { deadline, mostOpen, signal };
      for (const { name, size, ...layer } of layers) {
        const sides = root.host[name]!;
        const targets = targetsOf(sides);
        if (targets.length === 0 || !root.finite || Date.now() > deadline) continue;
        const matrix = new Float32Array(targets.length * size);
        for (const [k, { neuron, sign }] of targets.entries()) matrix[k * size + neuron] = sign;
        const cases = targets.map((_, k) => k);
        const { left, ...result } = await searchDomains({
          ...layer,
          region: { ...region, matrix, bounds: new Float64Array(targets.length), cases: cases.map((k) => [k]) },
          control: { ...limits, confirm: nothing, attack: nothing, searchAround: nothing },
          options: { caseIterations: ITERATIONS },
          ...{ root, box, cases, open: createTurns<Domain>(visits) },
        });
        // Bounds that are not finite are none.
        if (result.verdict === 'falsified' || (result.verdict === 'unknown' && result.reason === 'not finite'))
          continue;
        for (const [k, { neuron, sign }] of targets.entries()) {
          const least = Math.min(0, left.get(k) ?? 0);
          if (sign > 0) sides.lower[neuron] = Math.max(sides.lower[neuron]!, least);
          else sides.upper[neuron] = Math.min(sides.upper[neuron]!, -least);
        }
        const next = await roots.bound(weights, box, { iterations, deadline, known: root.host });
        disposeTree(root.device);
        root = next;
      }
      return root;
    },
    async dispose() {
      for (const { functions } of layers) await functions.dispose();
    },
  };
}

/** No point is a witness: what is bounded is a neuron. */
const nothing = async () => undefined;

/** The sides of unstable neurons whose bounds make a difference: 1 the lower one, -1 the upper one. */
function targetsOf({ lower, upper }: HostSides): { readonly neuron: number; readonly sign: 1 | -1 }[] {
  return Array.from(lower).flatMap((l, neuron) => {
    const u = upper[neuron]!;
    if (!(l < 0 && u > 0)) return [];
    return ([1, -1] as const)
      .filter((sign) => (sign > 0 ? -l <= FARTHEST * u : u <= -FARTHEST * l))
      .map((sign) => ({ neuron, sign }));
  });
}
