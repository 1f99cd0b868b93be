import { expect, it } from 'vitest';
import { readMargins } from './margins.js';

it.each([-1, 2, 0.5, Number.NaN])('no image is right with the label %f of 2 classes', (label) => {
  const [own, next] = readMargins([1, 0, 5, 0], [label, 0], 2);
  expect(own).toEqual({ margin: Number.NEGATIVE_INFINITY, prediction: null, size: 0 });
  expect(next).toEqual({ margin: 5, prediction: 0, size: 5 });
});
