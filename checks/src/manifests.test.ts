/** What npm shows of every package, and what installs it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe.each(readdirSync(join(root, 'packages')))('@cert/%s', (folder) => {
  const read = (file: string) => readFileSync(join(root, 'packages', folder, file), 'utf8');
  const manifest = JSON.parse(read('package.json'));

  it('is described alike', () => {
    expect(manifest).toMatchObject({
      name: `@cert/${folder}`,
      description: expect.stringMatching(/^[A-Z].{20,118}[^.]$/),
      keywords: expect.arrayContaining([
        'certified-training',
        'certified-robustness',
        // The checker of certificates shares nothing with the other packages.
        ...(folder === 'check' ? [] : ['tensorflow.js']),
      ]),
      // The gradients of TensorFlow.js are in core.
      license: folder === 'core' ? 'MIT AND Apache-2.0' : 'MIT',
      type: 'module',
      sideEffects: false,
      engines,
      files: expect.arrayContaining(['dist', 'CHANGELOG.md']),
      publishConfig: { access: 'public' },
    });
    expect(new Set(manifest.keywords).size).toBe(manifest.keywords.length);
    expect(manifest.private).toBeUndefined();
  });

  it('leaves its repository to be filled in when it is published', () => {
    for (const field of ['repository', 'homepage', 'bugs']) expect(manifest).not.toHaveProperty(field);
  });

  it('takes TensorFlow.js from @cert/core, which shares it with whoever installs it', () => {
    const { dependencies, peerDependencies } = manifest;
    const asked = Object.keys({ ...dependencies, ...peerDependencies });
    const parts = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-cpu', '@tensorflow/tfjs-core'];
    if (folder === 'core') {
      expect(Object.keys(peerDependencies)).toEqual(parts);
      // Not installed, but of a version that fits where it is there.
      expect(manifest.peerDependenciesMeta).toEqual({ '@tensorflow/tfjs': { optional: true } });
    } else if (folder === 'check') {
      expect(asked).toEqual([]);
    } else {
      expect(asked).toContain('@cert/core');
      expect(asked.filter((name) => parts.includes(name))).toEqual([]);
    }
  });

  it('has the licence of the repository, and a README that begins with its name', () => {
    expect(existsSync(join(root, 'packages', folder, 'LICENSE'))).toBe(true);
    expect(read('LICENSE')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'));
    expect(read('README.md')).toMatch(new RegExp(`^# ${manifest.name}\n`));
    if (folder === 'core') expect(manifest.files).toContain('LICENSE-APACHE');
  });
});
