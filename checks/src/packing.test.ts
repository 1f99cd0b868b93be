/** What npm would publish: built, complete and well described. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const packages = fileURLToPath(new URL('../../packages', import.meta.url));

describe('every package', () => {
  for (const name of readdirSync(packages)) {
    it(`@cert/${name} passes publint`, async () => {
      const pkgDir = join(packages, name);
      const { messages, pkg } = await publint({ pkgDir, strict: true });
      expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
    });
  }

  it('the command of @cert/trainer runs as built', () => {
    const cli = join(packages, 'trainer', 'dist', 'cli.js');
    expect(readFileSync(cli, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    const { stdout, status } = spawnSync(process.execPath, [cli, 'doctor'], { encoding: 'utf8' });
    expect(stdout).toMatch(/--device auto takes (cpu|tfjs)/);
    expect(status).toBe(0);
  });

  it('has what its source imports among its dependencies', () => {
    for (const name of readdirSync(packages)) {
      const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'));
      const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
      const bundle = readdirSync(join(packages, name, 'dist')).filter((file) => file.endsWith('.js'));
      for (const file of bundle) {
        const code = readFileSync(join(packages, name, 'dist', file), 'utf8');
        for (const { fileName: specifier } of ts.preProcessFile(code, true, true).importedFiles) {
          if (specifier.startsWith('node:') || specifier.startsWith('.')) continue;
          const dependency = specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/');
          expect(declared, `${name}/dist/${file} imports ${specifier}`).toContain(dependency);
        }
      }
    }
  });
});
