import { expect, it } from 'vitest';
import { latest } from '../src/latest.js';

const soon = () => new Promise<void>((resolve) => setTimeout(resolve));

it('skips inputs that are replaced while it runs, and never the last', async () => {
  const seen: number[] = [];
  const run = latest(
    async (input: number) => {
      seen.push(input);
      await soon();
    },
    () => {},
    async () => {},
  );
  for (const input of [1, 2]) run(input);
  await soon();
  for (const input of [3, 4, 5]) run(input);
  await soon();
  await soon();
  expect(seen).toEqual([2, 5]);
});

it('reports an error and runs again', async () => {
  const errors: unknown[] = [];
  const run = latest(
    async (fails: boolean) => {
      if (fails) throw new Error('broken');
      errors.push('none');
    },
    (error) => errors.push(String(error)),
    async () => {},
  );
  run(true);
  await soon();
  run(false);
  await soon();
  expect(errors).toEqual(['Error: broken', 'none']);
});
