/** Strokes of a pen as an image like those of MNIST: the digit fits into 20 x 20 pixels, its center of mass is in the middle of 28 x 28. */

/** A place on the drawing area; both coordinates run from 0 to 1, the second one downwards. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The path of the pen from where it came down to where it was lifted. */
export type Stroke = readonly Point[];

export const SIDE = 28;
const DIGIT = 20;
/** Half the width of a line, and how far it fades out, in pixels. */
const [PEN, FADE] = [1, 0.9];
/** How far the digit may be moved from the middle, so that nothing of it leaves the image. */
const SHIFT = (SIDE - DIGIT) / 2;
/** A dot is not blown up to a digit: the most pixels that the whole drawing area may become. */
const MOST = 6 * SIDE;

/**
 * Draws strokes.
 *
 * @returns [28 * 28], row-major, from 0 (background) to 1 (pen); null without a stroke
 */
export function drawDigit(strokes: readonly Stroke[]): Float32Array | null {
  const points = strokes.flat();
  if (points.length === 0) return null;
  const [x, y] = [rangeOf(points.map((point) => point.x)), rangeOf(points.map((point) => point.y))];
  const scale = Math.min(MOST, (DIGIT - 2 * PEN) / Math.max(x.size, y.size));
  const placed = (shift: Point) =>
    strokes.map((stroke) =>
      stroke.map((point) => ({
        x: SIDE / 2 + (point.x - x.middle) * scale + shift.x,
        y: SIDE / 2 + (point.y - y.middle) * scale + shift.y,
      })),
    );
  const center = massCenter(rasterize(placed({ x: 0, y: 0 })));
  const within = (shift: number) => Math.min(SHIFT, Math.max(-SHIFT, shift));
  return rasterize(placed({ x: within(SIDE / 2 - center.x), y: within(SIDE / 2 - center.y) }));
}

const rangeOf = (values: readonly number[]) => {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return { middle: (least + most) / 2, size: most - least };
};

/** Pixels by their distance to the nearest line; coordinates in pixels. */
function rasterize(strokes: readonly Stroke[]): Float32Array {
  const image = new Float32Array(SIDE * SIDE);
  for (const stroke of strokes) {
    for (const [i, from] of stroke.entries()) {
      // A stroke of one point is a dot.
      const to = stroke[i + 1] ?? from;
      if (i > 0 && to === from) continue;
      for (let pixel = 0; pixel < image.length; pixel++) {
        const middle = { x: (pixel % SIDE) + 0.5, y: Math.floor(pixel / SIDE) + 0.5 };
        const ink = 1 - (distance(middle, from, to) - PEN) / FADE;
        image[pixel] = Math.max(image[pixel]!, Math.min(1, Math.max(0, ink)));
      }
    }
  }
  return image;
}

/** From a point to the line between two others. */
function distance(point: Point, from: Point, to: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : ((point.x - from.x) * dx + (point.y - from.y) * dy) / length;
  const clipped = Math.min(1, Math.max(0, along));
  return Math.hypot(point.x - from.x - clipped * dx, point.y - from.y - clipped * dy);
}

/** The mean place of the ink. */
export function massCenter(image: Float32Array): Point {
  let [mass, x, y] = [0, 0, 0];
  for (const [pixel, ink] of image.entries()) {
    mass += ink;
    x += ink * ((pixel % SIDE) + 0.5);
    y += ink * (Math.floor(pixel / SIDE) + 0.5);
  }
  return mass === 0 ? { x: SIDE / 2, y: SIDE / 2 } : { x: x / mass, y: y / mass };
}
