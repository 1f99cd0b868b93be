import type { Neurons } from '@cert/bounds';
import type { Shape } from '@cert/core';

/** Neurons that are bounded at once: in slots of one place of one example each. */
export interface Call {
  /** The neurons of each slot, as places in the batch, row-major; from 1 to `count`. */
  readonly slots: readonly (readonly number[])[];
  /** [slots, 3]: example, row, column. A call may have more slots than are used: the last one is repeated. */
  readonly places: Int32Array;
  /** Neurons of each slot: an unused one is the last one again. */
  readonly count: number;
  /** [slots * count]: which neuron of its place. */
  readonly chosen: Int32Array;
}

/** Numbers of float32 that the coefficients of one call take at the largest node: 8 MiB. */
const BUDGET = 2 ** 21;
/** Slots of a call, and neurons of a slot: few shapes, so that few functions are compiled. */
const SLOTS = [1, 4, 16, 64, 256, 1024];
const NEURONS = [2, 8, 32, 128, 512];
/** What a slot costs besides its neurons, in neurons: windows are cut out for each. */
const PER_SLOT = 1.5;

/**
 * Calls that bound neurons.
 *
 * @param open the neurons, ascending, as places in the batch: example * size + number
 * @param mixtures how many variables each row has, if slopes are optimized
 */
export function callsFor(
  open: readonly number[],
  { places, perPlace, sizes }: Neurons,
  { size, shape }: { readonly size: number; readonly shape: Shape },
  mixtures: number,
): Call[] {
  const groups = new Map<number, number[]>();
  for (const neuron of open) {
    const place = Math.floor(neuron / perPlace);
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [neuron]);
    else group.push(neuron);
  }
  const fitting = Math.max(1, Math.floor(BUDGET / (2 * Math.max(mixtures, ...sizes.values()))));
  const slotsOf = (count: number) =>
    [...groups.values()].reduce((sum, { length }) => sum + Math.ceil(length / count), 0);
  const counts = NEURONS.filter((count) => count === NEURONS[0] || (count <= fitting && count < 4 * perPlace));
  const costs = counts.map((count) => slotsOf(count) * (count + PER_SLOT));
  const count = counts[costs.indexOf(Math.min(...costs))]!;
  const slots = [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / count) }, (_, i) => group.slice(i * count, (i + 1) * count)),
  );
  const most = Math.max(1, Math.floor(fitting / count));
  const calls: Call[] = [];
  for (let from = 0; from < slots.length; ) {
    const left = slots.length - from;
    const possible = SLOTS.filter((n) => n === 1 || n <= most);
    // A call may be a third empty; else a smaller one comes first.
    const together = possible.find((n) => n >= left && n <= 1.5 * left) ?? possible.findLast((n) => n <= left) ?? 1;
    calls.push(callOf(slots.slice(from, from + together), together));
    from += together;
  }
  return calls;

  function callOf(used: readonly (readonly number[])[], together: number): Call {
    const width = shape[1] ?? 1;
    const last = <T>(list: readonly T[], i: number) => list[Math.min(i, list.length - 1)]!;
    const places3 = Array.from({ length: together }, (_, s) => {
      const first = last(used, s)[0]!;
      const place = Math.floor((first % size) / perPlace);
      return places === 1
        ? [Math.floor(first / size), 0, 0]
        : [Math.floor(first / size), Math.floor(place / width), place % width];
    });
    const chosen = Array.from(
      { length: together * count },
      (_, i) => last(last(used, Math.floor(i / count)), i % count) % perPlace,
    );
    return { slots: used, places: Int32Array.from(places3.flat()), count, chosen: Int32Array.from(chosen) };
  }
}
