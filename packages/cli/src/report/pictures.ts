import type { Shape } from '@cert/core';
import { pngUrl, type Raster } from './png.js';
import { isDrawable } from './text.js';

/** A range of values. */
interface Range {
  readonly min: number;
  readonly max: number;
}

/** Colours of a negative and a positive difference; none is white. */
const NEGATIVE = [0, 114, 178];
const POSITIVE = [213, 94, 0];

/**
 * An input as a PNG data URL; null for one that is no image.
 *
 * @param range of its values: black to white; null for its own smallest and largest value
 */
export function picture(values: ArrayLike<number>, shape: Shape, range: Range | null): string | null {
  const { min, max } = range ?? rangeOf(values);
  const span = max - min || 1;
  return draw(
    shape,
    Uint8Array.from(values, (value) => byte((value - min) / span)),
  );
}

/**
 * The difference of two inputs as a PNG data URL; null where they are no images. Gray inputs: white where nothing changed, blue where the
 * value was lowered and orange where it was raised, in full colour at `epsilon`. RGB: gray where nothing changed.
 */
export function differencePicture(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  shape: Shape,
  epsilon: number,
): string | null {
  const parts = Array.from(from, (value, i) => Math.max(-1, Math.min(1, (to[i]! - value) / (epsilon || 1))));
  if (shape[2] !== 1)
    return draw(
      shape,
      Uint8Array.from(parts, (part) => byte(0.5 + part / 2)),
    );
  const colors = parts.flatMap((part) => {
    const color = part < 0 ? NEGATIVE : POSITIVE;
    return color.map((full) => 255 + Math.abs(part) * (full - 255));
  });
  return draw([...shape.slice(0, 2), 3], Uint8Array.from(colors, Math.round));
}

const byte = (fraction: number) => Math.round(255 * Math.max(0, Math.min(1, fraction)));

function rangeOf(values: ArrayLike<number>): Range {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) [min, max] = [Math.min(min, values[i]!), Math.max(max, values[i]!)];
  return { min, max };
}

function draw(shape: Shape, bytes: Uint8Array): string | null {
  if (!isDrawable(shape)) return null;
  const [height = 1, width = 1] = shape;
  const channels: Raster['channels'] = shape[2] === 1 ? 1 : 3;
  return pngUrl({ width, height, channels, bytes });
}
