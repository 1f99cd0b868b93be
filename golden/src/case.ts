import type { Field } from './field.js';
import type { Net } from './net.js';

/** How the report calls a case: its number and its radius. */
export const caseName = (entry: Field, index: number): string =>
  entry.has('eps') ? `[${index}] eps=${Number(entry.get('eps').number().toPrecision(4))}` : `[${index}]`;

/** `param_edit`: constants that are added to whole parameters, by our keys `node.name`. */
export function readEdit(entry: Field, net: Net): Map<string, number> {
  if (!entry.has('param_edit')) return new Map();
  return new Map(
    entry
      .get('param_edit')
      .entries()
      .map(([name, constant]) => {
        const slot = net.paramSlots.get(name);
        if (slot === undefined) throw constant.wrong('names no parameter of the net');
        return [`${slot.node}.${slot.name}`, constant.number()];
      }),
  );
}
