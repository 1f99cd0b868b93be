/**
 * Writes `src/tfjs-additions.ts`: what `@tensorflow/tfjs` adds to the ops of `@tensorflow/tfjs-core`, as one module that imports only the
 * public names of that package. Loading it registers all gradients and gives `Tensor` its chained methods. It exports `version`, the
 * version of the package that it belongs to. Node.js cannot import these modules from the package: their imports lack extensions.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const CORE = '@tensorflow/tfjs-core';
const require = createRequire(import.meta.url);
const dist = dirname(require.resolve('@tensorflow/tfjs-core'));
const version: string = require(`${CORE}/package.json`).version;
const isPublic = new Set(Object.keys(require(CORE)));

const HEADER = `// @ts-nocheck
/**
 * @license
 * The gradients and the chained methods of @tensorflow/tfjs-core ${version}, which its entry point leaves out and which Node.js cannot import
 * from its folder. Written by packages/core/scripts/tfjs-additions.ts.
 *
 * Copyright Google LLC. All Rights Reserved. Licensed under the Apache License, Version 2.0; see LICENSE-APACHE. Modified: bundled into one
 * file, which takes everything public from the package.
 */
`;

async function generateAdditions(): Promise<string> {
  const contents = `
    import '${CORE}/dist/register_all_gradients.js';
    import '${CORE}/dist/public/chained_ops/register_all_chained_ops.js';
    export const version = '${version}';`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: dist },
    absWorkingDir: dist,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    plugins: [publicNames],
  });
  return HEADER + onlyUsedImports(outputFiles[0]!.text);
}

/**
 * Internal modules that hold state or the class of tensors, by public names. A second copy of them would be a second engine. The module
 * `util` is among them as it needs the package `long`.
 */
const STAND_INS: { readonly [file: string]: string } = {
  'base.js': `export * from 'public'`,
  'ops/ops.js': `export * from 'public'`,
  'engine.js': `import { engine } from 'public'; export const ENGINE = engine();`,
  'environment.js': `export { env } from 'public'`,
  'tensor.js': `import { Tensor } from 'public'; export { Tensor }; export const getGlobalTensorClass = () => Tensor;`,
  'util.js': `import { util } from 'public'; export * from './util_base'; export const { flatten, isTypedArray, toTypedArray } = util;`,
};

/** Modules whose exports are all public are imported from the package, and the internal ones that remain are bundled. */
const publicNames: Plugin = {
  name: 'public-names',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^public$/ }, () => ({ path: CORE, namespace: 'public' }));
    onResolve({ filter: /.*/, namespace: 'public' }, () => ({ path: CORE, external: true }));
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path.endsWith('.js') ? path : `${path}.js`);
      const names = exportsOf(readFileSync(file, 'utf8'));
      const whole = names.length > 0 && names.every((name) => isPublic.has(name));
      return whole ? { path: CORE, namespace: 'public' } : { path: file };
    });
    onLoad({ filter: /.*/, namespace: 'public' }, () => ({
      contents: `export { ${[...isPublic].join(', ')} } from '${CORE}'`,
    }));
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      const standIn = STAND_INS[relative(dist, path)];
      return standIn === undefined ? undefined : { contents: standIn, resolveDir: join(path, '..') };
    });
  },
};

/** esbuild keeps every name of an import from outside the bundle. */
function onlyUsedImports(code: string): string {
  const words = new Set(
    code
      .replace(IMPORT, '')
      .replace(/^\/\/.*/gm, '')
      .match(/\w+/g),
  );
  return code.replace(IMPORT, (_, names: string) => {
    const used = names.split(',').filter((name) => words.has(name.trim().split(' as ').at(-1)!));
    return `import {${used.join(',').trimEnd()} } from`;
  });
}

const IMPORT = /^import \{(.*)\} from/m;

/** The names that a module of the package exports; `*` for a module that passes on those of others. */
function exportsOf(code: string): readonly string[] {
  const declared = [...code.matchAll(/^export (?:async )?(?:const|let|function|class) (\w+)/gm)].map(
    ([, name]) => name!,
  );
  const listed = [...code.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) =>
    list!.split(',').map((entry) => entry.trim().split(' as ').at(-1)!),
  );
  return [...declared, ...listed.filter(Boolean), ...(/^export \*/m.test(code) ? ['*'] : [])];
}

writeFileSync(join(import.meta.dirname, '../src/tfjs-additions.ts'), await generateAdditions());
