import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { CertError } from './errors.js';
import { type Tensor, type Tensor4D, tf } from './tf.js';
import { checkVersions } from './tfjs-versions.js';

const require = createRequire(import.meta.url);

describe('tf', () => {
  it('is the instance that a program gets from @tensorflow/tfjs-core', () => {
    expect(tf).toBe(require('@tensorflow/tfjs-core'));
    expect(tf.ones([1])).toBeInstanceOf(tf.Tensor);
  });

  it('does not load the union package', () => {
    expect(Object.keys(require.cache).filter((file) => /@tensorflow[\\/]tfjs[\\/]/.test(file))).toEqual([]);
  });

  it('computes on the CPU backend', async () => {
    await tf.ready();
    expect(tf.getBackend()).toBe('cpu');
  });

  it('has gradients: of sum(relu(x * x)), and of a convolution', () => {
    const square = tf.grad((x) => tf.sum(tf.relu(tf.mul(x, x))));
    expect([...square(tf.tensor1d([1, -2, 3])).dataSync()]).toEqual([2, -4, 6]);

    const image = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
    const kernel = tf.tensor4d([1, 0, -1, 2], [2, 2, 1, 1]);
    const convolve = (x: Tensor, k: Tensor) => tf.sum(tf.conv2d(x as Tensor4D, k as Tensor4D, 1, 'valid'));
    const [toImage, toKernel] = tf.grads(convolve)([image, kernel]);
    expect([...toImage!.dataSync()]).toEqual([1, 0, -1, 2]);
    expect([...toKernel!.dataSync()]).toEqual([1, 2, 3, 4]);
  });

  it('has chained methods, with their gradients', () => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    expect([...x.add(1).relu().sum(1).dataSync()]).toEqual([5, 9]);
    expect([
      ...tf
        .grad((t) => t.square().mean())(x)
        .dataSync(),
    ]).toEqual([0.5, 1, 1.5, 2]);
  });
});

describe('checkVersions', () => {
  const check = (core: string, cpu: string) => () => checkVersions('4.22.0', { core, cpu });

  it('accepts patch releases', () => {
    expect(check('4.22.0', '4.22.3')).not.toThrow();
  });

  it('names the packages of another minor version, and what to install', () => {
    expect(check('4.22.0', '4.21.0')).toThrow(CertError);
    expect(check('4.22.0', '4.21.0')).toThrow(
      /needs TensorFlow.js 4\.22; loaded: cpu 4\.21\.0\.\n.*npm install core@~4\.22\.0 cpu@/,
    );
    expect(check('4.23.0', '5.0.0')).toThrow(/core 4\.23\.0, cpu 5\.0\.0/);
  });
});
