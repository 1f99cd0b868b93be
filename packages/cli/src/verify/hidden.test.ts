/** The command certifies no image with a hidden counterexample: neither `cert verify` nor the cascade of `cert eval`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuDevice } from '@cert/jit/node';
import { encodeCheckpoint } from '@cert/models';
import { VERIFIERS } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hideCounterexample } from '../../../../soundness/src/hidden/hidden-counterexample.js';
import { cert } from '../../test/cert.js';

let place: string;
/** A path in the folder of the tests. */
const at = (name: string) => join(place, name);

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-hidden-'));
  const device = await cpuDevice({ threads: 1 });
  const { model, params, stats, image, epsilon, label } = await hideCounterexample({ device, seed: 0 });
  await device.dispose();
  await writeFile(at('net.safetensors'), encodeCheckpoint({ model, params, stats }));
  const declared = ['X', 'Y'].flatMap((letter) =>
    Array.from({ length: letter === 'X' ? image.length : 2 }, (_, i) => `(declare-const ${letter}_${i} Real)`),
  );
  const box = Array.from(image, (x, i) => `(assert (>= X_${i} ${x - epsilon})) (assert (<= X_${i} ${x + epsilon}))`);
  await writeFile(at('robust.vnnlib'), [...declared, ...box, '(assert (>= Y_1 Y_0))'].join('\n'));
  await writeFile(
    at('hidden.mjs'),
    `const split = {
      shape: [${image.length}], classes: 2, count: 1, scale: 1,
      images: Float32Array.of(${image.join()}), labels: Uint8Array.of(${label}),
    };
    export default { name: 'hidden', datasets: { hidden: async () => ({ name: 'hidden', train: split, test: split, range: { min: 0, max: 1 } }) } };`,
  );
});
afterAll(() => rm(place, { recursive: true, force: true }));

it.each([
  ['--split', 'relus', '--timeout', '5', '--arithmetic', 'deployed'],
  ['--split', 'inputs', '--timeout', '0.3', '--arithmetic', 'nearest'],
])('cert verify %s %s %s %s', async (...options) => {
  const { status, out } = await cert('verify', at('net.safetensors'), at('robust.vnnlib'), '--json', ...options);
  expect(status).toBe(0);
  expect(['sat', 'unknown', 'timeout']).toContain(JSON.parse(out).result);
});

it.each([
  ['nearest', '0.05'],
  ['deployed', '2'],
])('cert eval --arithmetic %s --timeout %s', async (arithmetic, timeout) => {
  const methods = Object.keys(VERIFIERS);
  const { status, out } = await cert(
    ...['eval', at('net.safetensors'), '--plugin', at('hidden.mjs'), '--dataset', 'hidden', '--epsilon', '0.2'],
    ...['--methods', methods.join(), '--arithmetic', arithmetic, '--timeout', timeout, '--device', 'cpu', '--json'],
    ...['--attack-steps', '40', '--attack-restarts', '2', '--out', at(`${arithmetic}.jsonl`)],
  );
  expect(status).toBe(0);
  const summary = JSON.parse(out);
  expect(summary).toMatchObject({ images: 1, standardError: { count: 0 } });
  expect(Object.keys(summary.methods)).toEqual(methods);
  for (const method of methods) expect(summary.methods[method]).toMatchObject({ tried: 1, verified: 0 });
});
