/** The quickstart on the device that CERT_TEST_DEVICE names: one epoch of a few images, as a software adapter takes seconds for a step. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const name = process.env.CERT_TEST_DEVICE ?? 'webgpu';
const folder = fileURLToPath(new URL('..', import.meta.url));

it(`trains on ${name} what it trains on cpu`, async () => {
  const place = await mkdtemp(join(tmpdir(), 'cert-quickstart-device-'));
  const train = async (device: string) => {
    const cwd = join(place, device);
    await mkdir(cwd);
    const options = ['--epochs', '1', '--limit', '8', '--device', device];
    await promisify(execFile)('npm', ['start', '--silent', '--prefix', folder, '--', ...options], { cwd });
    const run = join(cwd, 'runs', 'digits-quick-fast-seed0');
    const summary = JSON.parse(await readFile(join(run, 'summary.json'), 'utf8'));
    const [line] = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n').slice(-1);
    return { summary, metrics: JSON.parse(line!) };
  };
  const [other, cpu] = [await train(name), await train('cpu')];
  await rm(place, { recursive: true });
  expect(other.summary.device).toBe(name);
  for (const error of ['standardError', 'pgdError', 'verifiedError']) {
    expect(other.summary[error], error).toBe(cpu.summary[error]);
  }
  for (const metric of ['loss', 'naturalLoss', 'tightness', 'relu-balance']) {
    expect(other.metrics[metric], metric).toBeCloseTo(cpu.metrics[metric], 4);
  }
}, 170_000);
