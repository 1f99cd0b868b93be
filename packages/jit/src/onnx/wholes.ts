import type { Value, ValueOf } from '../graph/ir.js';

/** Slices that together cover one tensor, in order and without overlap. */
export interface Parts {
  readonly slices: readonly ValueOf<'slice'>[];
  readonly axis: number;
}

/** Finds the tensors that at most `most` slices cover. Each of these slices maps to all slices of its tensor. */
export function wholes(values: readonly Value[], most: number): Map<Value, Parts> {
  const bySource = new Map<Value, ValueOf<'slice'>[]>();
  for (const value of values) {
    if (value.op !== 'slice') continue;
    const [source] = value.inputs as [Value];
    bySource.set(source, [...(bySource.get(source) ?? []), value]);
  }
  const parts = new Map<Value, Parts>();
  for (const [{ shape }, slices] of bySource) {
    const axis = shape.findIndex((n, i) => slices[0]!.shape[i] !== n);
    slices.sort((a, b) => a.attrs.begin[axis]! - b.attrs.begin[axis]!);
    let end = 0;
    const follows = slices.every(({ attrs, shape: part }) => {
      const next = attrs.begin[axis] === end && attrs.steps.every((step) => step === 1);
      end = attrs.end[axis]!;
      return next && part.every((n, i) => i === axis || n === shape[i]);
    });
    if (!follows || end !== shape[axis] || slices.length < 2 || slices.length > most) continue;
    for (const slice of slices) parts.set(slice, { slices, axis });
  }
  return parts;
}
