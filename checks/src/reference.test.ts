/** The reference of the packages is complete: `npm run docs`, into another folder. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('documents every export and every member of an exported type, exports every type that they name, and has no broken link', () => {
  const { FORCE_COLOR: _, ...env } = process.env;
  const out = mkdtempSync(join(tmpdir(), 'cert-reference-'));
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    // Warnings are told from errors by the output here, so that what is wrong with links hides nothing that is undocumented.
    ['node_modules/typedoc/bin/typedoc', '--out', out, '--logLevel', 'Warn', '--treatWarningsAsErrors', 'false'],
    { cwd: root, encoding: 'utf8', env: { ...env, NO_COLOR: '1' } },
  );
  rmSync(out, { recursive: true });
  // Each line names the file, the line and the export.
  expect(`${stdout}${stderr}`.split('\n').filter(Boolean)).toEqual([]);
  expect(status).toBe(0);
}, 300_000);
