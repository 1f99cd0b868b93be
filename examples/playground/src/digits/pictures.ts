/** Images of digits on a canvas. */
import { contextOf } from '../element.js';
import { SIDE } from './strokes.js';

/** Draws an image, white on black as the network reads it. */
export const showDigit = (canvas: HTMLCanvasElement, pixels: Float32Array): void =>
  paint(canvas, (pixel) => {
    const grey = 255 * pixels[pixel]!;
    return [grey, grey, grey];
  });

/** Draws a change: darker pixels blue, brighter pixels orange, unchanged pixels white. */
export const showChange = (canvas: HTMLCanvasElement, from: Float32Array, to: Float32Array): void => {
  const change = to.map((value, i) => value - from[i]!);
  const most = change.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
  paint(canvas, (pixel) => {
    const part = change[pixel]! / most;
    const fade = 255 * (1 - Math.abs(part));
    return part < 0 ? [fade, 0.6 * fade + 100, 255] : [255, 0.6 * fade + 100, fade];
  });
};

function paint(canvas: HTMLCanvasElement, colorOf: (pixel: number) => readonly [number, number, number]): void {
  canvas.className = 'pixels';
  [canvas.width, canvas.height] = [SIDE, SIDE];
  const context = contextOf(canvas);
  const data = context.createImageData(SIDE, SIDE);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) data.data.set([...colorOf(pixel), 255], 4 * pixel);
  context.putImageData(data, 0, 0);
}
