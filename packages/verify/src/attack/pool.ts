import { type Device, turn } from '@cert/jit';
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
  /** Number of runs that have begun: they begin in order. */
  began: number;
  /** For each run that has ended, whether it found a misclassified point. */
  readonly ended: Map<number, boolean>;
  /** The margin at the first misclassified point of each run that found one. */
  readonly found: Map<number, number>;
  /** The smallest margin at any point so far. */
  smallest: number;
}

/** One run against one image, in one place of the batch. */
interface Run {
  readonly target: Target;
  /** Which run against its image, from 0. */
  readonly number: number;
  /** Points that it has visited. */
  visited: number;
}

/**
 * Attacks images until a misclassified point is found or all runs are through. The batch stays full: a place that becomes free
 * is taken by another run. Each image begins with one run, as most of those that can be broken break at once; after that
 * the others run side by side. When there is no image left to begin with, free places take further runs early. A point
 * that the attack takes for misclassified counts once the natural pass says the same of it.
 *
 * The result of an image is that of its first run that finds a misclassified point, and the width of the batch does not depend on the
 * images: an image has the same result, to the last digit, whatever images it is attacked with.
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
      // Nothing is compiled where nothing is attacked.
      while (!dry && waiting.length === 0) {
        const next = await source.next();
        if (next.done) dry = true;
        else if (picks(next.value)) waiting.push(next.value);
        else yield next.value;
      }
      if (waiting.length === 0) return;
      const width = placesOn(setting.device, batchSize);
      const attacker = attack.on({ ...setting, places: width });
      opened.push(attacker);
      const replay = createReplay({ ...setting, places: width });
      opened.push(replay);
      const places: (Run | undefined)[] = Array.from({ length: width });
      const targets = new Set<Target>();
      const find = (wanted: (target: Target) => boolean) =>
        [...targets].find((target) => target.began < runs && target.found.size === 0 && wanted(target));
      for (;;) {
        for (let place = 0; place < width; place++) {
          if (places[place] !== undefined) continue;
          let target = find(({ ended }) => ended.size > 0);
          while (target === undefined && !(dry && waiting.length === 0)) {
            const item = waiting.shift();
            if (item !== undefined) {
              target = { item, began: 0, ended: new Map(), found: new Map(), smallest: smallestKnown(item) };
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
          const number = target.began++;
          attacker.begin(place, target.item, number);
          places[place] = { target, number, visited: 0 };
        }
        if (targets.size === 0) return;

        const claimed = await attacker.step();
        const isClaim = (margin: number | undefined) => !(margin! > 0);
        const replayed = places.some((run, place) => run !== undefined && isClaim(claimed[place]))
          ? await replay.margins(
              places.map((run) => run?.target.item),
              attacker.visited(),
            )
          : claimed;
        const margins = Array.from(claimed, (margin, place) => (isClaim(margin) ? replayed[place]! : margin));
        await turn();
        signal?.throwIfAborted();
        places.forEach((run, place) => {
          if (run === undefined) return;
          const { target, number } = run;
          const margin = margins[place]!;
          const broken = !(margin > 0);
          if (broken) target.found.set(number, margin);
          else target.smallest = Math.min(target.smallest, margin);
          if (!broken && ++run.visited < attack.points) return;
          target.ended.set(number, broken);
          places[place] = undefined;
        });
        for (const target of targets) {
          const first = firstFound(target);
          if (first === undefined && target.ended.size < runs) {
            // Only runs before one that has found a point can still change the result.
            const enough = Math.min(...target.found.keys());
            places.forEach((run, place) => {
              if (run?.target === target && run.number > enough) places[place] = undefined;
            });
            continue;
          }
          targets.delete(target);
          places.forEach((run, place) => {
            if (run?.target === target) places[place] = undefined;
          });
          const smallest = first ?? target.smallest;
          const margin = Number.isFinite(smallest) ? smallest : null;
          const found = first !== undefined || !(target.smallest > 0);
          yield settle(target.item, { found, margin, ...(found && { by: attack.name }) });
        }
      }
    } finally {
      for (const each of opened.reverse()) await each.dispose();
      await source.return?.();
    }
  };

/** Devices that need a large batch to be fast. */
const WIDE: readonly string[] = ['webgpu', 'cuda', 'tfjs-node-gpu'];

/** Places of the batch: on a processor a few, because more do not make a place faster, and empty ones cost as much as others. */
const placesOn = ({ name }: Device, batchSize: number): number =>
  WIDE.includes(name) ? batchSize : Math.min(batchSize, 32);

/** The margin that the first run to find a misclassified point found, once all runs before it have ended. */
function firstFound({ ended, found }: Target): number | undefined {
  for (let run = 0; ended.has(run); run++) if (ended.get(run)) return found.get(run);
  return undefined;
}

/** The smallest margin at the image itself and at what attacks before visited. */
const smallestKnown = ({ margin, attack }: Item): number =>
  Math.min(margin ?? Number.NEGATIVE_INFINITY, attack?.margin ?? Number.POSITIVE_INFINITY);
