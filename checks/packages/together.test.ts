/** All packages in one project: a pipeline of one's own, in TypeScript and as ES modules, and the command. */
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { root, run } from './command.ts';
import { compile } from './compile.ts';
import { copiesOf, install, installed, startFrom } from './install.ts';
import { ours } from './tarball.ts';
import { warnings } from './warnings.ts';

const nodes = inject('nodes');
const folder = join(inject('place'), 'together');
const file = join(folder, 'main.ts');
const names = ours(inject('tarballs')).map(({ name }) => name);

beforeAll(async () => {
  startFrom(inject('base'), folder);
  await install(folder, inject('tarballs'), names);
  await copyFile(join(root, 'examples', 'custom-pipeline', 'main.ts'), file);
});

it('there is one copy of each of our packages and of TensorFlow.js', async () => {
  const places = await installed(folder);
  for (const name of [...names, '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu']) {
    expect(copiesOf(places, name), `copies of ${name}`).toEqual([`node_modules/${name}`]);
  }
});

it('examples/custom-pipeline type-checks as bundlers find packages', () => {
  expect(compile(file, 'Bundler')).toBe('');
});

it('examples/custom-pipeline type-checks as Node finds packages', () => {
  expect(compile(file, 'NodeNext')).toBe('');
});

describe('run', () => {
  for (const { title, path } of nodes) {
    it.skipIf(path === null)(`examples/custom-pipeline trains on ${title}`, async () => {
      const { stdout, stderr } = await run(folder, path!, 'main.js');
      expect(warnings(stderr)).toBe('');
      const verified = [...stdout.matchAll(/^step \d+: loss [\d.]+, verified ([\d.]+) /gm)].map(([, share]) =>
        Number(share),
      );
      expect(verified).toHaveLength(4);
      expect(verified.at(-1)).toBeGreaterThan(0.7);
    });

    it.skipIf(path === null)(`the command runs on ${title}`, async () => {
      const cli = join('node_modules', '@cert', 'cli', 'bin', 'cert.js');
      expect(await readFile(join(folder, cli), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
      const { stdout } = await run(folder, path!, cli, 'doctor');
      expect(stdout).toMatch(/--device auto selects tfjs/);
    });
  }
});
