/** Where the walls stand: which package may import which, and what an entry may bring into a browser. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { circleIn, importsOf, modulesBehind } from './import-graph.js';
import { root } from './markdown.js';

/** The packages of ours that each one may import. Nothing imports `cli` and `testing`. */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  check: [],
  core: [],
  bounds: ['core'],
  models: ['core'],
  interchange: ['core', 'bounds', 'models'],
  datasets: ['core'],
  jit: ['core'],
  testing: ['core'],
  regularizers: ['core'],
  init: ['core', 'bounds'],
  verify: ['core', 'bounds', 'jit', 'models', 'datasets'],
  trainer: ['core', 'bounds', 'jit', 'models', 'datasets', 'init', 'regularizers', 'verify'],
  queue: ['core', 'models', 'verify'],
  cli: ['check', 'interchange', 'core', 'bounds', 'jit', 'models', 'datasets', 'init', 'verify', 'trainer', 'queue'],
};

/** Packages that run in Node.js alone. */
const FOR_NODE: readonly string[] = ['cli', 'queue'];

const folders = readdirSync(join(root, 'packages'));
const graphs = new Map(folders.map((folder) => [folder, importsOf(folder)]));

describe.each(folders)('@cert/%s', (folder) => {
  const graph = graphs.get(folder)!;
  const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
  const all = [...graph].flatMap(([file, imports]) => imports.map(({ specifier }) => ({ file, specifier })));

  it('imports the packages that it may, by their entries, and names them as dependencies', () => {
    const ours = all.filter(({ specifier }) => specifier.startsWith('@cert/'));
    for (const { file, specifier } of ours) {
      const [, name, ...rest] = specifier.split('/');
      expect([file, MAY_IMPORT[folder]]).toEqual([file, expect.arrayContaining([name])]);
      // Optional parts are peers.
      expect([file, Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })]).toEqual([
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
    // tfjs-layers is no part of TensorFlow.js itself: it takes tfjs-core as a peer, the one instance.
    const isPart = (specifier: string) =>
      specifier.startsWith('@tensorflow/tfjs') && specifier !== '@tensorflow/tfjs-layers';
    const direct = all.filter(({ specifier }) => isPart(specifier)).map(({ file }) => file);
    const allowed = folder === 'core' ? ['packages/core/src/tf.ts', 'packages/core/src/tfjs-additions.ts'] : [];
    expect(new Set(direct)).toEqual(new Set(allowed));
  });
});

describe('what an entry brings along, other packages of ours included', () => {
  const everything = new Map([...graphs.values()].flatMap((graph) => [...graph]));
  const needsNode = (entry: string) =>
    [...modulesBehind(`packages/${entry}`, everything)].filter(
      ([specifier]) => specifier.startsWith('node:') || /^onnxruntime-node$|^@tensorflow\/tfjs-node/.test(specifier),
    );
  const runtimeForBrowsers = (entry: string) =>
    [...modulesBehind(`packages/${entry}`, everything).keys()]
      .filter((one) => one.startsWith('onnxruntime-web'))
      .sort();

  it.each(folders.filter((folder) => !FOR_NODE.includes(folder)))(
    'the main entry of @cert/%s is free of Node.js',
    (folder) => {
      expect(needsNode(`${folder}/src/index.ts`)).toEqual([]);
      // A page without the device web needs no onnxruntime-web to be bundled.
      expect(runtimeForBrowsers(`${folder}/src/index.ts`)).toEqual([]);
    },
  );

  it('the entry @cert/jit/web brings ONNX Runtime for browsers, and no Node.js', () => {
    expect(needsNode('jit/src/web/index.ts')).toEqual([]);
    expect(runtimeForBrowsers('jit/src/web/index.ts')).toEqual(['onnxruntime-web/wasm', 'onnxruntime-web/webgpu']);
    expect(runtimeForBrowsers('trainer/src/pipeline/index.ts')).toEqual([]);
  });

  it('names the files that lead to a module of Node.js', () => {
    const found = new Map(needsNode('trainer/src/pipeline/index.ts'));
    expect(found.get('onnxruntime-node')?.at(-1)).toBe('packages/jit/src/devices/load-runtime.ts');
    expect(found.get('node:worker_threads')).toBeDefined();
  });
});
