import { describe, expect, it } from 'vitest';
import { drawDigit, massCenter, SIDE, type Stroke } from '../src/digits/strokes.js';

/** The box around the pixels with ink. */
function boxOf(image: Float32Array) {
  const inked = [...image.entries()].filter(([, ink]) => ink > 0.05).map(([pixel]) => pixel);
  const [x, y] = [inked.map((pixel) => pixel % SIDE), inked.map((pixel) => Math.floor(pixel / SIDE))];
  return { left: Math.min(...x), right: Math.max(...x), top: Math.min(...y), bottom: Math.max(...y) };
}

const seven: Stroke = [
  { x: 0.1, y: 0.1 },
  { x: 0.4, y: 0.1 },
  { x: 0.2, y: 0.5 },
];

describe('drawDigit', () => {
  it('fits a drawing of any size and place into 20 pixels, with its center of mass in the middle', () => {
    const image = drawDigit([seven])!;
    const { left, right, top, bottom } = boxOf(image);
    expect(bottom - top + 1).toBeGreaterThanOrEqual(18);
    expect(bottom - top + 1).toBeLessThanOrEqual(22);
    expect(right - left).toBeLessThan(bottom - top);
    const center = massCenter(image);
    // A 7 is lighter below: it may be moved by 4 pixels at most.
    expect(center.x).toBeCloseTo(SIDE / 2, 0);
    expect(Math.abs(center.y - SIDE / 2)).toBeLessThan(2.5);
    expect([top >= 0, bottom < SIDE]).toEqual([true, true]);
    const moved = drawDigit([seven.map(({ x, y }) => ({ x: 0.5 + x / 2, y: 0.4 + y / 2 }))])!;
    expect(Math.max(...image.map((ink, i) => Math.abs(ink - moved[i]!)))).toBeLessThan(1e-5);
  });

  it('stays in [0, 1], and is black far from the pen', () => {
    const image = drawDigit([seven])!;
    expect([Math.min(...image), Math.max(...image)]).toEqual([0, 1]);
    expect(image[0]).toBe(0);
  });

  it('keeps a dot a dot', () => {
    const { left, right, top, bottom } = boxOf(drawDigit([[{ x: 0.9, y: 0.9 }]])!);
    expect([right - left, bottom - top]).toEqual([3, 3]);
    expect([left, top]).toEqual([12, 12]);
  });

  it('is nothing without a stroke', () => {
    expect(drawDigit([])).toBeNull();
  });
});
