import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const folder = new URL('..', import.meta.url);

it('runs as a reader runs it, and certifies most points', async () => {
  const { stdout } = await promisify(execFile)('npm', ['start', '--silent'], { cwd: folder });
  const lines = [...stdout.matchAll(/^step (\d+): loss ([\d.]+), verified ([\d.]+) at radius ([\d.e-]+)$/gm)].map(
    ([, ...numbers]) => numbers.map(Number),
  );
  expect(lines.map(([step]) => step)).toEqual([0, 20, 40, 60]);
  expect(lines.map(([, , , radius]) => radius)).toEqual([1e-6, expect.closeTo(0.1 / 3), 0.05, 0.05]);
  const [, loss, verified] = lines.at(-1)!;
  expect(loss).toBeLessThan(lines[0]![1]!);
  expect(verified).toBeGreaterThan(0.7);
});
