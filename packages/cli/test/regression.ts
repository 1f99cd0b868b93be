import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { cert } from './cert.js';

/** Writes a table of 60 prices by a number and a kind, and trains a small regression on 48 of its rows in a second. @returns the run's folder */
export async function regressionRun(place: string, name: string, ...options: readonly string[]): Promise<string> {
  const table = join(place, 'prices.csv');
  const rows = Array.from({ length: 60 }, (_, i) => `${(i % 12) - 6},${['a', 'b'][i % 2]},${1000 + 50 * (i % 12)}`);
  await writeFile(table, ['x,kind,price', ...rows].join('\n'));
  const run = join(place, name);
  const short = ['--epochs', '8', '--width', '8', '--dense', '8', '--learning-rate', '0.02', '--device', 'tfjs'];
  const task = ['--preset', 'tabular/mlp', '--data', table, '--csv-task', 'regression'];
  expect(await cert('train', ...task, ...short, ...options, '--out', run)).toMatchObject({ status: 0 });
  return run;
}
