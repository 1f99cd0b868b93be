import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const folder = new URL('..', import.meta.url);

it('runs as a reader runs it, and certifies most points', async () => {
  const { stdout } = await promisify(execFile)('npm', ['start', '--silent'], { cwd: folder });
  const lines = [...stdout.matchAll(/^step (\d+): loss ([\d.]+), verified ([\d.]+) % at radius ([\d.]+)$/gm)].map(
    ([, ...numbers]) => numbers.map(Number),
  );
  expect(lines.map(([step, , , radius]) => [step, radius])).toEqual([
    [0, 0],
    [20, 0.033],
    [40, 0.05],
    [60, 0.05],
  ]);
  const [, loss, verified] = lines.at(-1)!;
  expect(loss).toBeLessThan(lines[0]![1]!);
  expect(verified).toBeGreaterThan(70);
});
