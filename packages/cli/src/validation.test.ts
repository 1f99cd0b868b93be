/** What commands say of a run with validation images. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cert, train } from '../test/cert.js';

let place: string;
let run: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-validation-'));
  run = join(place, 'run');
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('epochs are tested on validation images, and every text says so', async () => {
  const trained = await train(run, '--validation', '0.3');
  expect(trained).toMatchObject({ status: 0, err: '' });
  expect(trained.out).toMatch(/14 \+ 6 \(validation\) \+ 20 images of digits/);
  expect(trained.out).toMatch(/^epoch 2 .* validation error \d/m);
  expect(trained.out).not.toContain('test error');

  const report = join(place, 'report.html');
  expect(await cert('report', run, '--out', report, '--limit', '0')).toMatchObject({ status: 0 });
  const page = await readFile(report, 'utf8');
  expect(page).toContain('on 6 validation images');
  expect(page).toMatch(/Standard and verified error of the training batches and of the validation images/);
  expect(page).toContain('validation verified');

  expect(await train(join(place, 'other'))).toMatchObject({ status: 0 });
  const out = join(place, 'compared');
  expect(await cert('compare', run, join(place, 'other'), '--out', out)).toMatchObject({ status: 0 });
  expect(await readFile(join(out, 'compare.svg'), 'utf8')).toContain('verified error on the test or validation split');

  // Without its summary, the run is one that is not finished: the errors of its last epoch are those of validation images.
  await rm(runFiles(run).summary);
  expect((await cert('runs', run)).out).toMatch(/epoch 2\/2 \(validation\)$/m);
  const [listed] = JSON.parse((await cert('runs', run, '--json')).out);
  expect(await cert('report', run, '--out', report, '--limit', '0')).toMatchObject({ status: 0 });
  expect(await readFile(report, 'utf8')).toContain('last epoch, on validation inputs');
  expect(listed.errors).toMatchObject({ of: 'validation', images: null, pgdError: null });
});

it('an early stop is told on the way and in the table', async () => {
  const never = ['--learning-rate', '0', '--bn', 'none', '--ramp-start', '1', '--ramp-length', '1'];
  const folder = join(place, 'early');
  const { status, out } = await train(folder, ...never, '--validation', '0.3', '--patience', '1', '--epochs', '6');
  expect(status).toBe(0);
  expect(out).toContain(
    'Stopped early after epoch 3 of 6: no better epoch on the validation images in 1 epoch (best: epoch 2',
  );
  expect(out).toMatch(/^epochs +3 of 6 \(stopped early, patience 1\)$/m);
  expect((await cert('runs', folder)).out).toMatch(/finished$/m);
});
