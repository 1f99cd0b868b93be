import { disposeTree } from '@cert/jit';
import { createDomainBounds } from './domain-bounds.js';
import { type PartResult, type ReluSplitOptions, type Start, searchDomains } from './domain-search.js';
import { createRootBounds, type RootBounds } from './root-bounds.js';
import type { Search } from './search.js';
import { bottleneck, tightened, withSign } from './stem.js';
import { structureOf } from './structure.js';
import type { SearchSetting } from './weights.js';

/** The share of the time that the bounds of hidden neurons may take. */
const ROOT_SHARE = 0.3;
/** Steps in which the slopes of a part are optimized before it is split at a bottleneck. */
const STEM_ITERATIONS = 15;

/**
 * Branch and bound on the signs of ReLUs. Complete for networks of ReLUs and linear ops, up to the precision of float32 and of the optimization.
 *
 * First the neurons of bottlenecks are split on, with bounds of the layers behind that are computed anew for each part; then all others, with
 * bounds that stay: {@link searchDomains}.
 */
export function createReluSplit(setting: SearchSetting, options: ReluSplitOptions = {}): Search {
  const structure = structureOf(setting.model, setting.rules.linearRelaxation);
  const functions = createDomainBounds(setting, structure);
  const roots = createRootBounds(setting, structure);
  const { device, model } = setting;
  const { rootIterations: iterations = 20, splits = true, bottlenecks = true } = options;
  return {
    async search(region, control) {
      const shape = [1, ...model.inputShape];
      const box = { lower: device.put(region.lower, shape), upper: device.put(region.upper, shape) };
      const deadline = Date.now() + ROOT_SHARE * (control.deadline - Date.now());
      /** Parts that are open, with their bounds, the last one first. */
      const open: { readonly root: RootBounds; readonly from: Start; readonly narrow: boolean }[] = [];
      let [visited, proved] = [0, Number.POSITIVE_INFINITY];
      const searchPart = async ({ root, from }: (typeof open)[number], more: boolean): Promise<PartResult> => {
        const own = {
          ...options,
          ...(from.splits.length > 0 && !more && { caseIterations: STEM_ITERATIONS }),
          splits: more,
        };
        const result = await searchDomains({
          ...{ setting, region, control, options: own, structure, functions, root, box, from },
        });
        visited += result.visited;
        proved = Math.min(proved, result.proved);
        return result;
      };
      try {
        const whole: Start = { splits: [], cases: region.cases.map((_, of) => of) };
        open.push({ root: await roots.bound(box), from: whole, narrow: true });
        // Slopes for hidden neurons cost much more than these bounds, which often are enough.
        const first = await searchPart(open[0]!, false);
        if (first.verdict !== 'unknown' || first.reason !== 'no splits') return first;
        const witness = await control.attack();
        if (witness !== undefined) return { verdict: 'falsified', witness, visited };
        const { root } = open.pop()!;
        disposeTree(root.device);
        open.push({
          root: await roots.bound(box, { iterations, deadline, known: root.host }),
          from: { ...whole, cases: first.cases },
          narrow: true,
        });
        while (open.length > 0) {
          const part = open.at(-1)!;
          const choice =
            splits && bottlenecks && part.narrow
              ? bottleneck(structure, functions.splittable, part.root.host)
              : undefined;
          const result = await searchPart(part, splits && choice === undefined);
          open.pop();
          disposeTree(part.root.device);
          if (result.verdict === 'verified') continue;
          if (choice === undefined || result.verdict === 'falsified' || result.reason !== 'no splits')
            return { ...result, visited };
          const name = functions.splittable[choice.node]!;
          for (const sign of [1, -1] as const) {
            const known = withSign(part.root.host, name, choice.neuron, sign);
            const half = await roots.bound(box, { known });
            open.push({
              root: half,
              narrow: tightened(structure, name, part.root.host, half.host),
              from: { splits: [...part.from.splits, { ...choice, sign }], cases: result.cases },
            });
          }
        }
        return { verdict: 'verified', visited, lower: proved };
      } finally {
        disposeTree([box, open.map(({ root }) => root.device)]);
      }
    },
    async dispose() {
      await roots.dispose();
      await functions.dispose();
    },
  };
}
