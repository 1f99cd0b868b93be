/** What the tests of the device `web` do with the page. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { batches } from '@cert/datasets';
import { digits } from '@cert/datasets/node';
import { cpuDevice } from '@cert/jit/node';
import type { WebOptions } from '@cert/jit/web';
import type { ImageResult } from '@cert/verify';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { FIXTURES } from '../cli.js';
import { certifySmall } from './certify-small.js';
import { call } from './chromium.js';
import type { Texts } from './page.js';
import type { PlainBatch } from './train-digits.js';

const texts = async (): Promise<Texts> => {
  const names = (await readdir(FIXTURES)).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(FIXTURES, name), 'utf8')] as const)),
  );
};

/** What differs from a golden file, and how much was compared. */
export async function compare(page: Page, name: string) {
  const rows = await call(page, 'golden', { name, texts: await texts() });
  expect(rows.length).toBeGreaterThan(10);
  return rows.filter(({ outcome }) => outcome !== 'pass');
}

/** Certifies on the device of the page as on the device `cpu`, and nothing that is NaN. */
export async function certifiesAsCpu(page: Page): Promise<void> {
  const cpu = await cpuDevice();
  const reference = await certifySmall(cpu);
  await cpu.dispose();
  const web = await call(page, 'certify');
  const verified = (results: readonly ImageResult[]) =>
    results.filter(({ verifiedBy }) => verifiedBy !== null).map(({ index }) => index);
  expect(verified(reference).length).toBeGreaterThan(0);
  expect(verified(reference).length).toBeLessThan(reference.length);
  expect(verified(web)).toEqual(verified(reference));
  const proved = ({ levels }: ImageResult) => levels?.ibp?.deployed ?? 0;
  expect(web.some((result) => proved(result) > 0)).toBe(true);
  for (const [i, result] of web.entries()) expect(proved(result)).toBeCloseTo(proved(reference[i]!), 4);
  for (const spoil of ['kernel', 'bias'] as const) expect(verified(await call(page, 'certify', spoil))).toEqual([]);
}

/** Opens the device of a page, which works. */
export async function opened(page: Page, options: WebOptions) {
  const result = await call(page, 'open', options);
  if ('code' in result) throw new Error(`${result.problem} ${result.cure}`);
  return result;
}

/** The first minibatches of the dataset `digits`. */
export async function digitBatches(count: number): Promise<PlainBatch[]> {
  const { train } = await digits();
  const plain: PlainBatch[] = [];
  for (const { images, labels } of batches(train, { batchSize: 64, seed: 0, epoch: 1 })) {
    plain.push({ pixels: [...images].map((value) => Math.round(value * 255)), labels: [...labels] });
    if (plain.length === count) break;
  }
  return plain;
}
