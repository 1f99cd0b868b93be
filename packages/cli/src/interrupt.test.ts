import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { loadCheckpoint } from '@cert/models/node';
import { chooseDevice, runFiles, runOwner } from '@cert/trainer/pipeline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CERT, certProcess as cert } from '../test/process.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-interrupt-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Weights, running statistics and optimizer: all that decides how training continues. */
async function stateOf(folder: string) {
  const { params, stats, extra, metadata } = await loadCheckpoint(runFiles(folder).last);
  const { position, best } = metadata as { position: unknown; best: unknown };
  return { params, stats, extra, position, best };
}

/** The lines of `metrics.jsonl` without the times, which differ from run to run. */
async function metricsOf(folder: string) {
  const text = await readFile(runFiles(folder).metrics, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...JSON.parse(line), trainSeconds: 0, waitSeconds: 0 }));
}

it('stopped by Ctrl-C, killed at a random moment and resumed, a run ends with the very same weights', async () => {
  const { device } = await chooseDevice('auto');
  await device.dispose();
  const options = [
    ...[
      '--device',
      device.name,
      '--limit',
      '200',
      '--batch-size',
      '10',
      '--epochs',
      '8',
      '--width',
      '4',
      '--dense',
      '16',
    ],
    ...['--attack-restarts', '1', '--attack-steps', '1'],
  ];
  const [calm, rough] = [join(place, 'calm'), join(place, 'rough')];
  expect(await cert(['train', '--out', calm, ...options])).toMatchObject({ status: 0 });

  // Ctrl-C while an epoch is under way: the step is finished, a checkpoint written, and the way to continue printed.
  const stopped = await cert(['train', '--out', rough, ...options], (line, child) => {
    if (line.startsWith('epoch 1 ')) setTimeout(() => child.kill('SIGINT'), 30);
  });
  expect(stopped.status).toBe(130);
  const [, step, command] = stopped.out.match(/^Stopped after step (\d+)\. Resume with: cert (.*)$/m)!;
  expect(Number(step)).toBeGreaterThanOrEqual(20);
  expect(await stateOf(rough)).toMatchObject({ position: { step: Number(step) } });
  expect(command).toBe(`train --resume ${rough}`);

  // The same where the system asks: a job that is cancelled, a terminal that is closed.
  for (const [signal, status] of [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    // Once: lines of two epochs may arrive together, and a second signal ends a run at once.
    let sent = false;
    const asked = await cert(command!.split(' '), (line, child) => {
      if (sent || !/^epoch [1-5] /.test(line)) return;
      sent = true;
      setTimeout(() => child.kill(signal), 10);
    });
    expect([signal, asked.status, asked.out.match(/Resume with: cert (.*)$/m)?.[1]]).toEqual([signal, status, command]);
  }

  const delay = Math.random() * 250;
  const killed = await cert(command!.split(' '), (line, child) => {
    if (/^epoch \d /.test(line)) setTimeout(() => child.kill('SIGKILL'), delay);
  });
  expect(killed.signal).toBe('SIGKILL');

  expect(await cert(command!.split(' '))).toMatchObject({ status: 0 });
  expect(await stateOf(rough), `killed ${delay} ms after an epoch`).toEqual(await stateOf(calm));
  expect(await metricsOf(rough)).toEqual(await metricsOf(calm));
  const summaries = await Promise.all(
    [rough, calm].map(async (folder) => JSON.parse(await readFile(runFiles(folder).summary, 'utf8'))),
  );
  for (const field of ['standardError', 'pgdError', 'verifiedError'])
    expect(summaries[0][field]).toBe(summaries[1][field]);
}, 180_000);

it('killed within an epoch, a run continues from its last checkpoint there to the very same weights', async () => {
  const options = [
    ...['--device', 'tfjs', '--limit', '120', '--batch-size', '5', '--epochs', '2', '--width', '2', '--dense', '8'],
    ...['--attack-restarts', '0'],
  ];
  const [calm, rough] = [join(place, 'by-epochs'), join(place, 'by-minutes')];
  expect(await cert(['train', '--out', calm, ...options, '--checkpoint-minutes', 'none'])).toMatchObject({ status: 0 });

  // Every step is later than a millionth of a minute: it writes a checkpoint.
  const killedAt = new Promise<number>((resolve, reject) => {
    const often = [...options, '--checkpoint-minutes', '1e-6'];
    const ended = cert(['train', '--out', rough, ...often], async (line, child) => {
      if (!line.startsWith('epoch 1 ')) return;
      const step = await reached(rough, 30);
      child.kill('SIGKILL');
      resolve(step);
    });
    ended.then(({ signal, err }) => signal === 'SIGKILL' || reject(new Error(`It ended by itself: ${err}`)));
  });
  expect(await killedAt).toBeLessThan(48);
  const { position } = (await loadCheckpoint(runFiles(rough).last)).metadata as { position: { step: number } };
  expect(position.step % 24).toBeGreaterThan(0);

  expect(await cert(['train', '--resume', rough, '--checkpoint-minutes', 'none'])).toMatchObject({ status: 0 });
  expect(await stateOf(rough)).toEqual(await stateOf(calm));
  expect(await metricsOf(rough)).toEqual(await metricsOf(calm));
}, 120_000);

/** Waits until the last checkpoint of a run is of a step or of a later one, and returns which. */
async function reached(folder: string, step: number): Promise<number> {
  for (;;) {
    const { metadata } = await loadCheckpoint(runFiles(folder).last);
    const { position } = metadata as { position: { step: number } };
    if (position.step >= step) return position.step;
    await wait(5);
  }
}

it.skipIf(process.platform === 'win32')(
  'started by npx, a run stops when npx is ended without it',
  async () => {
    const folder = join(place, 'orphan');
    const options = ['--device', 'tfjs', '--limit', '100', '--epochs', '500', '--width', '2', '--dense', '4'];
    // What npx does: a shell between, which dies alone.
    const [node, ...flags] = CERT;
    const shell = spawn('sh', ['-c', '"$@"; true', 'sh', node!, ...flags, 'train', '--out', folder, ...options], {
      env: { ...process.env, npm_command: 'exec' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (text.includes('epoch 1 ')) shell.kill('SIGTERM');
    });
    shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    // The pipes close when cert ends, not when the shell does.
    await once(shell, 'close');
    expect(shell.signalCode).toBe('SIGTERM');
    expect(err).toMatch(/^Stopping after this step \(SIGTERM\)\./m);
    expect(out).toMatch(/^Stopped after step \d+\. Resume with: npx cert train --resume /m);
    expect(await runOwner(folder)).toBeUndefined();
  },
  60_000,
);

it('a second signal, of the same kind or another one, ends a run at once', async () => {
  // The first step takes seconds, so that the second signal arrives in it.
  const options = ['--device', 'tfjs', '--limit', '300', '--batch-size', '300', '--epochs', '1', '--width', '8'];
  for (const second of ['SIGINT', 'SIGTERM'] as const) {
    const folder = join(place, `twice-${second}`);
    const ended = await cert(['train', '--out', folder, ...options], (line, child) => {
      if (!line.startsWith('digits/quick')) return;
      // Warnings may come first: two signals of one kind that are sent at once may arrive as one.
      let [said, sent] = ['', false];
      child.stderr?.on('data', (text) => {
        said += text;
        if (sent || !said.includes('Stopping after this step')) return;
        sent = true;
        child.kill(second);
      });
      child.kill('SIGINT');
    });
    expect(ended).toMatchObject({ status: null, signal: second });
    expect(ended.err).toMatch(/^Stopping after this step \(SIGINT\)\. A second Ctrl-C ends the process at once\.$/m);
    expect(ended.out).not.toContain('Stopped after step');
  }
}, 60_000);
