import { disposeTree, type OnDevice } from '@cert/jit';
import type { Choice } from './domain.js';
import { createDomainBounds } from './domain-bounds.js';
import { type PartResult, type ReluSplitOptions, type Start, searchDomains } from './domain-search.js';
import type { HostNetwork } from './host-network.js';
import { createRootBounds, type RootBounds } from './root-bounds.js';
import type { Search } from './search.js';
import { bottleneck, loosenessBehind, withSign } from './stem.js';
import { structureOf } from './structure.js';
import type { SearchSetting, Sides } from './weights.js';

/** The share of the time that the bounds of hidden neurons may take. */
const ROOT_SHARE = 0.3;
/** Steps in which the slopes of a part are optimized before it is split at a bottleneck. */
const STEM_ITERATIONS = 15;

/** A split is made at a bottleneck where it leaves at most this share of the looseness behind it, on average over both halves. */
const WORTH = 0.95;

/** A part that is open: bounds, what they are about, and neurons of a bottleneck in the order in which they are split on, if that is known. */
interface Part {
  readonly root: RootBounds;
  readonly from: Start;
  readonly order?: readonly Choice[];
}

/**
 * Branch and bound on the signs of ReLUs. Complete for networks of ReLUs and linear ops, up to the precision of float32.
 *
 * First the neurons of bottlenecks are split on, with bounds of the layers behind that are computed anew for each part; then all others, with
 * bounds that stay: {@link searchDomains}.
 *
 * @param network that of `setting` on the host
 */
export function createReluSplit(setting: SearchSetting, network: HostNetwork, options: ReluSplitOptions = {}): Search {
  const structure = structureOf(setting.model, setting.rules.linearRelaxation);
  const functions = createDomainBounds(setting, structure);
  const { device, model, weights, rules } = setting;
  const roots = createRootBounds({ device, model, forward: rules.ibp, backward: rules.linearRelaxation });
  /** The neurons of a bottleneck that a part may be split on. */
  const candidatesOf = ({ root, order }: Part): readonly Choice[] => {
    const all = bottleneck(structure, functions.splittable, root.host);
    if (order === undefined) return all;
    const left = order.filter(({ node, neuron }) => all.some((one) => one.node === node && one.neuron === neuron));
    return left.length > 0 ? left : all;
  };

  /** Both halves of a part at the best of some neurons, which is measured where it is not known; undefined where no split is worth it. */
  async function halve(
    box: OnDevice<Sides>,
    { root, from, order }: Part,
    candidates: readonly Choice[],
    expired: () => boolean,
  ): Promise<Part[] | undefined> {
    const halvesAt = async (choice: Choice) => {
      const name = functions.splittable[choice.node]!;
      const bound = (sign: 1 | -1) =>
        roots.bound(weights, box, { known: withSign(root.host, name, choice.neuron, sign) });
      const both = [await bound(1), await bound(-1)] as const;
      const [a, b] = both.map(({ host }) => loosenessBehind(structure, name, host));
      return { choice, both, left: (a! + b!) / 2 / loosenessBehind(structure, name, root.host) };
    };
    let best = await halvesAt(candidates[0]!);
    const measured = [best];
    for (const choice of order === undefined ? candidates.slice(1) : []) {
      if (expired()) break;
      const next = await halvesAt(choice);
      const better = next.left < best.left;
      disposeTree((better ? best : next).both.map(({ device: bounds }) => bounds));
      if (better) best = next;
      measured.push(next);
    }
    if (best.left > WORTH) {
      disposeTree(best.both.map(({ device: bounds }) => bounds));
      return undefined;
    }
    const next = measured.length > 1 ? measured.sort((a, b) => a.left - b.left).map(({ choice }) => choice) : order;
    return best.both.map((own, i) => ({
      root: own,
      from: { ...from, splits: [...from.splits, { ...best.choice, sign: i === 0 ? 1 : -1 }] },
      ...(next && { order: next }),
    }));
  }

  const { rootIterations: iterations = 20, splits = true, bottlenecks = true } = options;
  return {
    async search(region, control) {
      const shape = [1, ...model.inputShape];
      const box = { lower: device.put(region.lower, shape), upper: device.put(region.upper, shape) };
      const deadline = Date.now() + ROOT_SHARE * (control.deadline - Date.now());
      /** Parts that are open, with their bounds, the last one first. */
      const open: Part[] = [];
      let [visited, proved] = [0, Number.POSITIVE_INFINITY];
      const searchPart = async ({ root, from }: Part, more: boolean): Promise<PartResult> => {
        const own = {
          ...options,
          ...(from.splits.length > 0 && !more && { caseIterations: STEM_ITERATIONS }),
          splits: more,
        };
        const result = await searchDomains({
          ...{ setting, network, region, control, options: own, structure, functions, root, box, from },
        });
        visited += result.visited;
        proved = Math.min(proved, result.proved);
        return result;
      };
      try {
        const whole: Start = { splits: [], cases: region.cases.map((_, of) => of) };
        open.push({ root: await roots.bound(weights, box), from: whole });
        // Slopes for hidden neurons cost much more than these bounds, which often are enough.
        const first = await searchPart(open[0]!, false);
        if (first.verdict !== 'unknown' || first.reason !== 'no splits') return first;
        const witness = await control.attack();
        if (witness !== undefined) return { verdict: 'falsified', witness, visited };
        const { root } = open.pop()!;
        disposeTree(root.device);
        open.push({
          root: await roots.bound(weights, box, { iterations, deadline, known: root.host }),
          from: { ...whole, cases: first.cases },
        });
        while (open.length > 0) {
          control.signal?.throwIfAborted();
          if (Date.now() > control.deadline)
            return { verdict: 'unknown', reason: 'timeout', visited, lower: Number.NEGATIVE_INFINITY };
          let part = open.at(-1)!;
          const candidates = splits && bottlenecks ? candidatesOf(part) : [];
          if (candidates.length > 0) {
            const quick = await searchPart(part, false);
            if (quick.verdict === 'falsified' || (quick.verdict === 'unknown' && quick.reason !== 'no splits'))
              return { ...quick, visited };
            part = { ...part, from: { ...part.from, cases: quick.cases } };
            const halves =
              part.from.cases.length > 0 ? await halve(box, part, candidates, () => Date.now() > control.deadline) : [];
            if (halves !== undefined) {
              open.pop();
              disposeTree(part.root.device);
              open.push(...halves);
              continue;
            }
          }
          const result = await searchPart(part, splits);
          if (result.verdict !== 'verified') return { ...result, visited };
          open.pop();
          disposeTree(part.root.device);
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
