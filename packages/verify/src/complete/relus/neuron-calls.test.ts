import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callsFor } from './neuron-calls.js';

const image = { size: 6 * 5 * 4, shape: [6, 5, 4] };
const windows = {
  ...{ node: 'conv', shape: [1, 1, 4], places: 30, perPlace: 4, sizes: new Map([['conv', 4], ['input', 50]]) }, // biome-ignore format: one line
  at: () => {
    throw new Error('not called');
  },
};
const whole = { ...windows, shape: image.shape, places: 1, perPlace: image.size };

/** Which neuron of the batch each place of a call is. */
function neuronsOf({ places, chosen, count }: ReturnType<typeof callsFor>[number], perPlace: number): number[] {
  return Array.from(chosen, (neuron, i) => {
    const [example, row, column] = places.slice(3 * Math.floor(i / count), 3 * Math.floor(i / count) + 3);
    return example! * image.size + (row! * 5 + column!) * perPlace + neuron;
  });
}

describe('neurons in calls', () => {
  it.each([
    ['in windows', windows],
    ['of whole examples', whole],
  ])('are each bounded once, in the slot that says so: %s', (_name, neurons) => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(3 * image.size - 1), { maxLength: 200 }), (some) => {
        const open = [...some].sort((a, b) => a - b);
        const calls = callsFor(open, neurons, image, 0);
        expect(calls.flatMap(({ slots }) => slots.flat()).sort((a, b) => a - b)).toEqual(open);
        for (const call of calls) {
          const all = neuronsOf(call, neurons.perPlace);
          call.slots.forEach((slot, s) => {
            expect(all.slice(s * call.count, s * call.count + slot.length)).toEqual(slot);
          });
          // What fills up a call is computed twice, and is a neuron that is wanted.
          expect(open).toEqual(expect.arrayContaining(all));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('take less than the memory that a call may have, down to a pair of neurons', () => {
    const open = Array.from({ length: 2 * image.size }, (_, i) => i);
    for (const [widest, pairs] of [
      [2 ** 10, 2 ** 10],
      [2 ** 17, 8],
      [2 ** 23, 2],
    ] as const) {
      // biome-ignore format: one line
      const sizes = new Map([['wide', widest]]);
      const rows = callsFor(open, { ...windows, sizes }, image, 0).map(({ chosen }) => chosen.length);
      expect(Math.max(...rows)).toBeLessThanOrEqual(pairs);
    }
  });
});
