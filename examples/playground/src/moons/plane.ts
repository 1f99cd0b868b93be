/** The unit square: decision regions of a network, the points, and the balls around them. */
import { contextOf } from '../element.js';

/** Places along each side at which the network is asked. */
export const GRID = 41;

/** The places of the grid, [GRID * GRID, 2], from the top left to the bottom right; y points upwards. */
export const gridPoints = (): Float32Array =>
  Float32Array.from({ length: 2 * GRID * GRID }, (_, i) => {
    const place = i >> 1;
    return i % 2 === 0 ? (place % GRID) / (GRID - 1) : 1 - Math.floor(place / GRID) / (GRID - 1);
  });

/** What is drawn. */
export interface Plane {
  /** Class 1 minus class 0, at {@link gridPoints}. */
  readonly scores: Float32Array;
  /** [count, 2]. */
  readonly points: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly verified: readonly boolean[];
  readonly epsilon: number;
}

/** Draws class 0 as plain ground with circles, class 1 as striped ground with triangles. */
export function drawPlane(canvas: HTMLCanvasElement, plane: Plane): void {
  const context = contextOf(canvas);
  const colors = getComputedStyle(canvas);
  const color = (name: string) => colors.getPropertyValue(name);
  const size = canvas.width;
  drawRegions(context, size, plane.scores, [color('--region-0'), color('--region-1'), color('--stripe')]);
  const count = plane.labels.length;
  const place = (i: number) => [plane.points[2 * i]! * size, (1 - plane.points[2 * i + 1]!) * size] as const;
  // Balls first, so that no ball hides a point.
  for (let i = 0; i < count; i++) {
    const [x, y] = place(i);
    const radius = plane.epsilon * size;
    const proved = plane.verified[i]!;
    context.strokeStyle = proved ? color('--verified') : color('--undecided');
    context.lineWidth = proved ? 2.5 : 1.5;
    context.setLineDash(proved ? [] : [4, 5]);
    context.strokeRect(x - radius, y - radius, 2 * radius, 2 * radius);
  }
  context.setLineDash([]);
  for (let i = 0; i < count; i++) {
    const [x, y] = place(i);
    context.beginPath();
    if (plane.labels[i] === 0) context.arc(x, y, 7, 0, 2 * Math.PI);
    else triangle(context, x, y);
    Object.assign(context, {
      fillStyle: color(`--class-${plane.labels[i]}`),
      strokeStyle: color('--panel'),
      lineWidth: 2,
    });
    context.fill();
    context.stroke();
  }
}

function triangle(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.moveTo(x, y - 9);
  context.lineTo(x + 8, y + 6);
  context.lineTo(x - 8, y + 6);
  context.closePath();
}

/** Fills the regions row by row, between the places of the grid by linear interpolation. */
function drawRegions(
  context: CanvasRenderingContext2D,
  size: number,
  scores: Float32Array,
  [zero, one, stripe]: readonly [string, string, string],
): void {
  context.fillStyle = zero;
  context.fillRect(0, 0, size, size);
  const cell = 4;
  for (let y = 0; y < size; y += cell) {
    for (let x = 0; x < size; x += cell) {
      if (!(scoreAt(scores, (x + cell / 2) / size, (y + cell / 2) / size) > 0)) continue;
      context.fillStyle = (x + y) % 32 < 8 ? stripe : one;
      context.fillRect(x, y, cell, cell);
    }
  }
}

/** Bilinear; `right` and `down` run from 0 to 1. */
export function scoreAt(scores: Float32Array, right: number, down: number): number {
  const [x, y] = [right * (GRID - 1), down * (GRID - 1)];
  const [column, row] = [Math.min(GRID - 2, Math.floor(x)), Math.min(GRID - 2, Math.floor(y))];
  const at = (dx: number, dy: number) => scores[(row + dy) * GRID + column + dx]!;
  const [s, t] = [x - column, y - row];
  return (1 - t) * ((1 - s) * at(0, 0) + s * at(1, 0)) + t * ((1 - s) * at(0, 1) + s * at(1, 1));
}
