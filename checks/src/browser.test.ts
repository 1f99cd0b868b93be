/** The packages in a browser: what a bundler makes of each, and the program of docs/browser.md without the globals of Node.js. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundle } from './bundle.js';
import { guides, root } from './markdown.js';
import { programsOf, typeErrors } from './programs.js';
import { missingLine } from './same-output.js';
import { runInWebWorker } from './web-worker.js';

const packages = readdirSync(join(root, 'packages')).filter((name) => name !== 'cli' && name !== 'queue');

const everythingOf = (entry: string) => `import * as all from '${entry}'; console.log(Object.keys(all).length > 0);`;

describe('a bundler for browsers', () => {
  it.each(packages)('resolves everything behind the main entry of @cert/%s', async (name) => {
    const { code, problems } = await bundle(everythingOf(`@cert/${name}`));
    expect(problems).toEqual([]);
    expect(await runInWebWorker(code)).toEqual({ printed: ['true'], error: null });
  });

  it('resolves everything behind @cert/jit/web, ONNX Runtime too', async () => {
    const { code, problems } = await bundle(everythingOf('@cert/jit/web'));
    expect(problems).toEqual([]);
    expect(code).toContain('ort-wasm-simd-threaded.asyncify.mjs');
  });

  it.each(['@cert/jit/node', '@cert/models/node', '@cert/trainer/pipeline'])('names what %s needs', async (entry) => {
    const { problems } = await bundle(everythingOf(entry));
    expect(problems).toContainEqual(expect.stringContaining('Could not resolve "node:'));
  });
});

describe('the page in docs/browser.md', () => {
  const [page] = programsOf(guides.find(({ file }) => file === join('docs', 'browser.md'))!);

  it('is bundled, and prints what it says, in finite numbers', async () => {
    const { code, problems } = await bundle(page!.code);
    expect(problems).toEqual([]);
    const { printed, error } = await runInWebWorker(code);
    expect(error).toBeNull();
    expect(missingLine(page!.output, printed.join('\n')), printed.join('\n')).toBeUndefined();
    expect(printed.join(' ')).not.toMatch(/NaN|Infinity/);
  });
});

describe('the page in docs/browser.md with the device web', () => {
  const guide = guides.find(({ file }) => file === join('docs', 'browser.md'))!;
  const [page] = programsOf(guide);
  const change = guide.blocks.find(({ language }) => language === 'diff')!.code;

  it('type-checks and is bundled', async () => {
    const unsigned = (lines = '') => lines.replaceAll(/^[-+]/gm, '');
    const hunks = [...change.matchAll(/((?:^-.*\n)+)((?:^\+.*\n)+)/gm)];
    expect(hunks.length).toBeGreaterThan(0);
    const code = hunks.reduce((text, [, before, after]) => {
      expect(text).toContain(unsigned(before));
      return text.replace(unsigned(before), () => unsigned(after));
    }, page!.code);
    expect(typeErrors([{ ...page!, code }])).toBe('');
    expect((await bundle(code)).problems).toEqual([]);
  });
});

describe('a web worker of these tests', () => {
  it('has no globals of Node.js', async () => {
    const names = ['process', 'Buffer', 'require', 'module', 'global', 'setImmediate', '__dirname'];
    const { printed, error } = await runInWebWorker(
      `console.log(${names.map((name) => `typeof ${name}`).join(', ')}); console.log(typeof self, typeof fetch);`,
    );
    expect(printed).toEqual([names.map(() => 'undefined').join(' '), 'object function']);
    expect(error).toBeNull();
  });

  it('says with which error a script ended', async () => {
    expect((await runInWebWorker('await null; process.exit();')).error).toContain('process is not defined');
  });
});
