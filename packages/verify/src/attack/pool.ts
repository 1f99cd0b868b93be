import { turn } from '@cert/jit';
import type { AttackResult } from '../images/result.js';
import type { Item, Stage } from '../images/stage.js';
import type { Attack, AttackSetting } from './attack.js';
import { createReplay } from './replay.js';

/** Options of {@link attackStage}. */
export interface AttackStageOptions extends Omit<AttackSetting, 'places'> {
  readonly attack: Attack;
  /** The most points that are moved in one step. */
  readonly batchSize: number;
  /** The images to attack; the others are given on at once. */
  readonly picks: (item: Item) => boolean;
  readonly settle: (item: Item, result: AttackResult) => Item;
  readonly signal?: AbortSignal | undefined;
}

/** An image under attack. */
interface Target {
  readonly item: Item;
  /** Runs that have begun, and that have ended. */
  began: number;
  ended: number;
  /** The smallest margin at any point so far. */
  smallest: number;
}

/** One run against one image, in one place of the batch. */
interface Run {
  readonly target: Target;
  /** Points that it has visited. */
  visited: number;
}

/**
 * Attacks images until a misclassified point is found or all runs are through. The batch stays full: a place that becomes free
 * is taken by another run. Each image begins with one run, as most of those that can be broken break at once; after that
 * the others run side by side. When there is no image left to begin with, free places take further runs early. A point
 * that the attack takes for misclassified counts once the natural pass says the same of it.
 */
export const attackStage = ({ attack, batchSize, picks, settle, signal, ...setting }: AttackStageOptions): Stage =>
  async function* (items) {
    const runs = attack.runs(setting.model);
    if (runs < 1) {
      yield* items;
      return;
    }
    const source = items[Symbol.asyncIterator]();
    const waiting: Item[] = [];
    const opened: { dispose(): Promise<void> }[] = [];
    let dry = false;
    try {
      // Few images are attacked in a small batch: how many there are shows before anything is compiled.
      while (!dry && waiting.length < batchSize) {
        const next = await source.next();
        if (next.done) dry = true;
        else if (picks(next.value)) waiting.push(next.value);
        else yield next.value;
      }
      if (waiting.length === 0) return;
      const width = Math.min(batchSize, waiting.length * runs);
      const attacker = attack.on({ ...setting, places: width });
      opened.push(attacker);
      const replay = createReplay({ ...setting, places: width });
      opened.push(replay);
      const places: (Run | undefined)[] = Array.from({ length: width });
      const targets = new Set<Target>();
      const find = (wanted: (target: Target) => boolean) =>
        [...targets].find((target) => target.began < runs && wanted(target));
      for (;;) {
        for (let place = 0; place < width; place++) {
          if (places[place] !== undefined) continue;
          let target = find(({ ended }) => ended > 0);
          while (target === undefined && !(dry && waiting.length === 0)) {
            const item = waiting.shift();
            if (item !== undefined) {
              target = { item, began: 0, ended: 0, smallest: smallestKnown(item) };
              break;
            }
            const next = await source.next();
            if (next.done) dry = true;
            else if (!picks(next.value)) yield next.value;
            else waiting.push(next.value);
          }
          target ??= find(() => true);
          if (target === undefined) break;
          targets.add(target);
          attacker.begin(place, target.item, target.began++);
          places[place] = { target, visited: 0 };
        }
        if (targets.size === 0) return;

        const claimed = await attacker.step();
        const margins = places.some((run, place) => run !== undefined && !(claimed[place]! > 0))
          ? await replay.margins(
              places.map((run) => run?.target.item),
              attacker.visited(),
            )
          : claimed;
        await turn();
        signal?.throwIfAborted();
        places.forEach((run, place) => {
          if (run === undefined) return;
          const { target } = run;
          target.smallest = Math.min(target.smallest, margins[place]!);
          if (++run.visited < attack.points) return;
          target.ended++;
          places[place] = undefined;
        });
        for (const target of targets) {
          const found = !(target.smallest > 0);
          if (!found && target.ended < runs) continue;
          targets.delete(target);
          places.forEach((run, place) => {
            if (run?.target === target) places[place] = undefined;
          });
          const margin = Number.isFinite(target.smallest) ? target.smallest : null;
          yield settle(target.item, { found, margin, ...(found && { by: attack.name }) });
        }
      }
    } finally {
      for (const each of opened.reverse()) await each.dispose();
      await source.return?.();
    }
  };

/** The smallest margin at the image itself and at what attacks before visited. */
const smallestKnown = ({ margin, attack }: Item): number =>
  Math.min(margin ?? Number.NEGATIVE_INFINITY, attack?.margin ?? Number.POSITIVE_INFINITY);
