import type { Comparison, Tolerance } from './compare.js';
import type { Values } from './device-call.js';
import type { Field } from './field.js';
import type { Net } from './net.js';

/**
 * Gradients: relative 1e-3, and absolute 1e-5 for gradients of a size up to 1. Where the gradient as a whole is larger, its
 * float32 rounding is too (each file says how much, next to the same in float64), hence absolute 1e-5 of the largest entry.
 */
export function gradientTolerance(expected: Field): Tolerance {
  const largest = expected
    .entries()
    .flatMap(([, tensor]) => tensor.tensor().data)
    .reduce((max, value) => Math.max(max, Math.abs(value)), 1);
  return { relative: 1e-3, absolute: 1e-5 * largest };
}

/** Compares a gradient for every parameter; ours are the values `prefix.node.name`. */
export function compareGradients(
  to: Comparison,
  quantity: string,
  net: Net,
  values: Values,
  prefix: string,
  expected: Field,
  tolerance = gradientTolerance(expected),
): void {
  for (const [name, { node, name: param, convert }] of net.paramSlots) {
    const wanted = convert(expected.get(name).tensor());
    to.add(quantity, values[`${prefix}.${node}.${param}`], wanted, tolerance, name);
  }
}
