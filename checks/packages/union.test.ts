/** A program that uses `@tensorflow/tfjs` itself shares one TensorFlow.js with our packages, whichever it loads first. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from './command.ts';
import { copiesOf, install, installed, npmInstall, startFrom } from './install.ts';
import { warnings } from './warnings.ts';

const folder = join(inject('place'), 'union');
const SCRIPT = `
const kernels = Object.values(tf).filter((value) => typeof value === 'string');
const gradients = () => kernels.filter((kernel) => tf.getGradient(kernel) !== undefined);
const methods = () => Object.getOwnPropertyNames(tf.Tensor.prototype).sort();
const before = JSON.stringify([gradients(), methods()]);
const { default: union } = await import('@tensorflow/tfjs');
const { tf: ours } = await import('@cert/core');
const x = union.tensor1d([1, -2, 3]);
console.log(
  JSON.stringify({
    sameClass: union.Tensor === ours.Tensor && ours.tensor1d([0]) instanceof union.Tensor,
    sameEngine: union.engine() === ours.engine(),
    backend: [union.getBackend(), ours.getBackend()],
    gradients: [
      [...ours.grad((t) => ours.sum(ours.relu(t.mul(t))))(x).dataSync()],
      [...union.grad((t) => union.sum(union.relu(t.mul(t))))(ours.tensor1d([1, -2, 3])).dataSync()],
    ],
    adds: JSON.stringify([gradients(), methods()]) !== before,
  }),
);
`;

beforeAll(async () => {
  startFrom(inject('base'), folder);
  await install(folder, inject('tarballs'), ['@cert/core'], ['@tensorflow/tfjs']);
});

it('is installed with one copy of each part', async () => {
  const places = await installed(folder);
  for (const name of ['@tensorflow/tfjs', '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu', '@cert/core']) {
    expect(copiesOf(places, name), `copies of ${name}`).toEqual([`node_modules/${name}`]);
  }
});

it('of another version is refused, as it would bring a second TensorFlow.js', async () => {
  const alone = join(inject('place'), 'no-union');
  await install(alone, inject('tarballs'), ['@cert/core']);
  const installing = npmInstall(alone, '--package-lock-only', '@tensorflow/tfjs@4.21.0');
  await expect(installing).rejects.toMatchObject({ stderr: expect.stringContaining('ERESOLVE') });
});

describe.each([
  ['the union package', `const { default: tf } = await import('@tensorflow/tfjs');`],
  ['@cert/core', `const { tf } = await import('@cert/core');`],
])('%s first', (title, first) => {
  it('is the same instance, with the same gradients and methods', async () => {
    const file = `${title.replaceAll(/\W/g, '')}.js`;
    await writeFile(join(folder, file), first + SCRIPT);
    const { stdout, stderr } = await run(folder, process.execPath, file);
    expect(warnings(stderr)).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      sameClass: true,
      sameEngine: true,
      backend: ['cpu', 'cpu'],
      gradients: [
        [2, -4, 6],
        [2, -4, 6],
      ],
      // Neither adds anything that the other lacks.
      adds: false,
    });
  });
});
