import { add, affine, type Layer, type Op, relu } from '@cert/core';

/** Adds a node to a model, and returns its name. */
export type Place = <K extends Op>(layer: Layer<K>, inputs: readonly string[]) => string;

/** Limits up to which {@link clipped} is a chain: the rounding of sums with them is as small as that of other layers. */
const NEAR = 8;

/**
 * min(max(x, low), high). With small limits, such as those of ReLU6, it is high - relu((high - low) - relu(x - low)): a chain, for which
 * interval bounds are exact. Large limits would swallow the digits of x there; with these it is x + relu(low - x) - relu(x - high), which
 * is x itself between them. An infinite limit leaves out its relu.
 *
 * @param node the node of x
 * @param channels the length of its last axis
 */
export function clipped(place: Place, node: string, channels: number, [low, high]: readonly [number, number]): string {
  const map = (from: string, scale: number, shift: number): string => {
    if (scale === 1 && shift === 0) return from;
    const numbers = (n: number) => Array.from({ length: channels }, () => n);
    return place(affine(numbers(scale), numbers(shift)), [from]);
  };
  const rectified = (from: string) => place(relu(), [from]);
  const sum = (a: string, b: string) => place(add(), [a, b]);
  const [hasLow, hasHigh] = [Number.isFinite(low), Number.isFinite(high)];
  if ([low, high].some((n) => Number.isFinite(n) && Math.abs(n) > NEAR)) {
    const raised = hasLow ? sum(node, rectified(map(node, -1, low))) : node;
    return hasHigh ? sum(raised, map(rectified(map(node, 1, -high)), -1, 0)) : raised;
  }
  if (!hasLow) return hasHigh ? map(rectified(map(node, -1, high)), -1, high) : node;
  const above = rectified(map(node, 1, -low));
  return hasHigh ? map(rectified(map(above, -1, high - low)), -1, high) : map(above, 1, low);
}
