import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-tabular-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('trains both networks, and its certificates are accepted', async () => {
  const options = ['--epochs', '12', '--rows', '3'];
  const { stdout } = await run('npm', ['start', '--silent', '--prefix', folder, '--', ...options], {
    cwd: place,
    env: { ...process.env, INIT_CWD: place },
  });
  expect(stdout).toMatch(/^456 training rows, 113 test rows, 30 features\.$/m);
  const unverified = [...stdout.matchAll(/^ {2}0\.05 +[\d.]+ % +[\d.]+ % +([\d.]+) %$/gm)].map(([, text]) =>
    Number(text),
  );
  expect(unverified).toHaveLength(2);
  // Certified training verifies most rows, natural training few.
  expect(unverified[1]).toBeLessThan(unverified[0]! / 2);
  const accepted = [...stdout.matchAll(/that the checker accepts: (\d+) of 113 rows$/gm)].map(([, text]) =>
    Number(text),
  );
  expect(accepted[1]).toBeGreaterThan(60);
  expect(stdout).toMatch(/proved to grow with "worst area": \d of 3 rows$/m);
  const certificates = join(place, 'runs', 'tabular-mlp-fast-seed0', 'certificates');
  const files = await readdir(certificates);
  expect(files).toHaveLength(accepted[1]!);
  const { perturbation, property } = JSON.parse(await readFile(join(certificates, files[0]!), 'utf8'));
  expect([perturbation.boxes.length, perturbation.boxes[0].lower.length, property.classes]).toEqual([1, 30, 2]);
});
