/** Averaged weights and population statistics: the commands read the network that the run evaluated. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostParams } from '@cert/core';
import { loadCheckpoint, saveCheckpoint } from '@cert/models/node';
import { runFiles } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cert, SMALL } from '../test/cert.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-evaluated-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('cert eval of a run with an average repeats the errors of its summary, which the trained weights do not have', async () => {
  const folder = join(place, 'run');
  const average = ['--epochs', '8', '--average', 'ema', '--average-start', '6', '--ema-decay', '0.95'];
  expect(await cert('train', '--out', folder, ...SMALL, ...average)).toMatchObject({ status: 0 });
  const { standardError, verifiedError } = JSON.parse(await readFile(runFiles(folder).summary, 'utf8'));
  expect(verifiedError).toBeLessThan(1);

  /** Both errors by `cert eval`, with the bounds of the run. */
  const errors = async (network: string, ...args: string[]) => {
    const { out } = await cert(
      ...['eval', network, '--methods', 'ibp', '--arithmetic', 'nearest', '--attack-restarts', '0', '--device', 'cpu'],
      ...['--json', '--out', join(place, 'results.jsonl'), '--overwrite', ...args],
    );
    const { standardError: standard, methods } = JSON.parse(out);
    return [standard.fraction, methods.ibp.verifiedError.fraction];
  };
  expect(await errors(folder)).toEqual([standardError, verifiedError]);

  const { model, extra } = await loadCheckpoint(runFiles(folder).last);
  const { params, stats } = extra!.training as { readonly params: HostParams; readonly stats: HostParams };
  const trained = join(place, 'trained.safetensors');
  await saveCheckpoint(trained, { model, params, stats });
  const data = ['--dataset', 'digits', '--limit', '200', '--epsilon', '0.05'];
  expect(await errors(trained, ...data)).not.toEqual([standardError, verifiedError]);
});
