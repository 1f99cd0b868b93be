/** Where the walls stand: which package may import which, and what an entry may bring into a browser. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { circleIn, importsOf, packagesBehind } from './import-graph.js';
import { root } from './markdown.js';

/** The packages of ours that each one may import. Nothing imports `cli` and `testing`. */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  core: [],
  bounds: ['core'],
  models: ['core'],
  datasets: ['core'],
  jit: ['core'],
  testing: ['core'],
  regularizers: ['core'],
  init: ['core', 'bounds'],
  verify: ['core', 'bounds', 'jit', 'models', 'datasets'],
  trainer: ['core', 'bounds', 'jit', 'models', 'datasets', 'init', 'regularizers', 'verify'],
  cli: ['core', 'bounds', 'jit', 'models', 'datasets', 'init', 'verify', 'trainer'],
};

/** Entries that run in a browser; with `trainer` and `verify` their own files alone, as `jit` brings Node's modules along. */
const BROWSER = ['core', 'bounds', 'datasets', 'init', 'regularizers', 'testing', 'verify', 'trainer'];

describe.each(readdirSync(join(root, 'packages')))('@cert/%s', (folder) => {
  const graph = importsOf(folder);
  const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
  const all = [...graph].flatMap(([file, imports]) => imports.map(({ specifier }) => ({ file, specifier })));

  it('imports the packages that it may, by their entries, and names them as dependencies', () => {
    const ours = all.filter(({ specifier }) => specifier.startsWith('@cert/'));
    for (const { file, specifier } of ours) {
      const [, name, ...rest] = specifier.split('/');
      expect([file, MAY_IMPORT[folder]]).toEqual([file, expect.arrayContaining([name])]);
      expect([file, Object.keys(manifest.dependencies ?? {})]).toEqual([
        file,
        expect.arrayContaining([`@cert/${name}`]),
      ]);
      const { exports } = JSON.parse(readFileSync(join(root, 'packages', name!, 'package.json'), 'utf8'));
      expect([file, Object.keys(exports)]).toEqual([file, expect.arrayContaining([['.', ...rest].join('/')])]);
    }
  });

  it('has no files that import each other in a circle', () => {
    expect(circleIn(graph)).toBeUndefined();
  });

  it('takes TensorFlow.js from @cert/core', () => {
    const direct = all.filter(({ specifier }) => specifier.startsWith('@tensorflow/tfjs')).map(({ file }) => file);
    const allowed = folder === 'core' ? ['packages/core/src/tf.ts', 'packages/core/src/tfjs-additions.ts'] : [];
    expect(new Set(direct)).toEqual(new Set(allowed));
  });
});

it.each(BROWSER)('the main entry of @cert/%s needs no module of Node.js', (folder) => {
  const packages = packagesBehind(`packages/${folder}/src/index.ts`, importsOf(folder), { dynamic: true });
  expect([...packages].filter((specifier) => specifier.startsWith('node:'))).toEqual([]);
});
