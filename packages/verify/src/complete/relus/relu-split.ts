import { disposeTree } from '@cert/jit';
import type { HostNetwork } from '../host-network.js';
import type { Search, SearchControl } from '../search.js';
import type { SearchSetting } from '../weights.js';
import { createDomainBounds } from './domain-bounds.js';
import { type CasesResult, type ReluSplitOptions, searchDomains } from './domain-search.js';
import { createRefinement } from './refine.js';
import { createRootBounds, type RootBounds } from './root-bounds.js';
import { structureOf } from './structure.js';

/** The share of the time that slopes for the bounds of hidden neurons may take. */
const ROOT_SHARE = 0.3;
/**
 * The search is tried for a share of the time that is left, then bounds of hidden neurons are refined with a number of parts for each side, and the search
 * begins again. The last search has all the time.
 */
const TRIALS = [
  { share: 0.03, visits: 8 },
  { share: 0.05, visits: 32 },
  { share: 0.08, visits: 128 },
];
/** How long a refinement may take, as a multiple of the trial before it. */
const REFINE_TIME = 3;
/** A refinement that leaves more than this share of the looseness is the last one. */
const WORTH = 0.9;

/**
 * Branch and bound on the signs of ReLUs. Complete for networks of ReLUs and linear ops, up to the precision of float32.
 *
 * @param network that of `setting` on the host
 */
export function createReluSplit(setting: SearchSetting, network: HostNetwork, options: ReluSplitOptions = {}): Search {
  const structure = structureOf(setting.model, setting.rules.linearRelaxation);
  const functions = createDomainBounds(setting, structure);
  const { device, model, weights, rules } = setting;
  const roots = createRootBounds({ device, model, forward: rules.ibp, backward: rules.linearRelaxation });
  const refinement = createRefinement(setting, network, roots);
  const { rootIterations: iterations = 20, splits = true, refine = true } = options;
  return {
    async search(region, control) {
      const shape = [1, ...model.inputShape];
      const box = { lower: device.put(region.lower, shape), upper: device.put(region.upper, shape) };
      const within = (share: number) => Date.now() + share * (control.deadline - Date.now());
      let [visited, proved] = [0, Number.POSITIVE_INFINITY];
      let cases: readonly number[] = region.cases.map((_, of) => of);
      let root: RootBounds | undefined;
      let refined = false;
      const explore = async (more: boolean, deadline = control.deadline): Promise<CasesResult> => {
        const own: SearchControl = { ...control, deadline };
        const result = await searchDomains({
          ...{ setting, network, region, control: own, structure, functions, root: root!, box },
          ...{ options: { ...options, splits: more }, cases },
        });
        visited += result.visited;
        proved = Math.min(proved, result.proved);
        if (result.verdict === 'unknown' && result.reason !== 'not finite') cases = [...result.left.keys()];
        return result.verdict === 'verified' ? { ...result, visited, refined, lower: proved } : { ...result, visited };
      };
      try {
        root = await roots.bound(weights, box);
        // Slopes for hidden neurons cost much more than these bounds, which often are enough.
        const first = await explore(false);
        if (first.verdict !== 'unknown' || first.reason !== 'no splits') return first;
        const witness = await control.attack();
        if (witness !== undefined) return { verdict: 'falsified', witness, visited };
        const plain = root;
        root = await roots.bound(weights, box, { iterations, deadline: within(ROOT_SHARE), known: plain.host });
        disposeTree(plain.device);
        for (const { share, visits } of splits && refine && refinement.possible ? TRIALS : []) {
          const trial = await explore(true, within(share));
          if (trial.verdict !== 'unknown' || trial.reason !== 'timeout') return trial;
          const limits = { ...control, deadline: within(REFINE_TIME * share) };
          refined = true;
          const before = looseness(root);
          root = await refinement.refine({ region, box, root, visits, iterations, control: limits });
          if (looseness(root) > WORTH * before) break;
        }
        return await explore(splits);
      } finally {
        disposeTree([box, root?.device]);
      }
    },
    async dispose() {
      await roots.dispose();
      await refinement.dispose();
      await functions.dispose();
    },
  };
}

/** How far the lines of all unstable neurons are apart where they are farthest. */
function looseness({ host }: RootBounds): number {
  let sum = 0;
  for (const { lower, upper } of Object.values(host)) {
    for (const [i, l] of lower.entries()) {
      const u = upper[i]!;
      if (l < 0 && u > 0) sum += (-l * u) / (u - l);
    }
  }
  return sum;
}
