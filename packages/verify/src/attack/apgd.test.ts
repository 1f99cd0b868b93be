import { expect, it } from 'vitest';
import { checkpointWindows } from './apgd.js';

it('checkpoints of 100 steps are those of the paper, each with the steps since the one before', () => {
  expect([...checkpointWindows(100)]).toEqual([
    [22, 22],
    [41, 19],
    [57, 16],
    [70, 13],
    [80, 10],
    [87, 7],
    [93, 6],
    [99, 6],
  ]);
});

it('few steps have fewer checkpoints, none of them empty', () => {
  for (const steps of [0, 1, 2, 5, 9]) {
    const windows = [...checkpointWindows(steps)];
    expect(windows.every(([step, window]) => window > 0 && step <= steps)).toBe(true);
    expect(windows.reduce((sum, [, window]) => sum + window, 0)).toBe(windows.at(-1)?.[0] ?? 0);
  }
});
