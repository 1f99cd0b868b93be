import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noRedis, type RedisServer, startRedis } from '../../../queue/test/redis-server.js';
import { cert, TINY } from '../../test/cert.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { main } from '../main.js';

let place: string;
let run: string;
let server: RedisServer;
const at = (name: string) => join(place, name);

beforeAll(async () => {
  if (noRedis !== '') return;
  place = await mkdtemp(join(tmpdir(), 'cert-queue-'));
  run = at('run');
  server = await startRedis();
  expect(await cert('train', '--out', run, ...TINY)).toMatchObject({ status: 0 });
});
afterAll(async () => {
  await server?.stop();
  if (place) await rm(place, { recursive: true, force: true });
});

const EVALUATION = ['--limit', '24', '--methods', 'ibp,crown-ibp', '--attack-restarts', '1', '--attack-steps', '5'];
const SIZE = ['--eval-batch-size', '8', '--device', 'tfjs'];
const queued = (command: string, ...args: string[]) => cert('queue', command, ...args, '--redis', server.url);
const sorted = async (name: string) => (await readFile(at(name), 'utf8')).split('\n').sort();

/** Runs a worker in this process, until it is aborted. */
function work(store: string) {
  const stop = new AbortController();
  const lines = { out: [] as string[], err: [] as string[] };
  const terminal = {
    out: (line: string) => void lines.out.push(line),
    err: (line: string) => void lines.err.push(line),
    screen: null,
  };
  const status = main(['worker', '--redis', server.url, '--store', store], terminal, stop.signal);
  return { stop: () => stop.abort(), status, lines };
}

it('says how to install the package of the queue', async () => {
  const missing = loadQueue(() => Promise.reject(new Error('ERR_MODULE_NOT_FOUND')));
  await expect(missing).rejects.toThrow(
    /which is not installed or does not load\.\nInstall the package: npm install @cert\/queue@/,
  );
});

describe.skipIf(noRedis !== '')(`cert queue${noRedis}`, () => {
  it('writes the lines that cert eval writes', async () => {
    const store = at('store');
    const submitted = await queued('submit', run, ...EVALUATION, ...SIZE, '--store', store, '--jobs-of', '5');
    expect(submitted).toMatchObject({ status: 0, err: '' });
    const id = /^([0-9a-f]{12}): 24 images in 5 jobs\.$/m.exec(submitted.out)![1]!;
    expect((await queued('status')).out).toMatch(new RegExp(`${id} +digits, epsilon .* 24 images +0 of 5 .* open`));
    const early = await queued('collect', id, '--out', at('early.jsonl'));
    expect(early).toMatchObject({
      status: 1,
      err: expect.stringContaining('24 of 24 images have no result. 5 jobs are not done'),
    });
    const worker = work(store);
    const waited = await queued(
      'submit',
      run,
      ...EVALUATION,
      ...SIZE,
      '--store',
      store,
      '--jobs-of',
      '5',
      '--wait',
      '--out',
      at('queue.jsonl'),
    );
    expect(waited, waited.err).toMatchObject({ status: 0 });
    expect(waited.out).toContain(`Results: ${at('queue.jsonl')}`);
    expect((await queued('status', id)).out).toMatch(/5 of 5 .* complete.*Workers: 1 \(/s);
    worker.stop();
    expect(await worker.status).toBe(130);
    expect(worker.lines.err).toEqual([]);
    expect(worker.lines.out.filter((line) => line.startsWith(`${id} job `))).toHaveLength(5);
    const alone = await cert('eval', run, ...EVALUATION, ...SIZE, '--out', at('alone.jsonl'));
    expect(alone).toMatchObject({ status: 0 });
    expect(await sorted('queue.jsonl')).toEqual(await sorted('alone.jsonl'));
    expect(await queued('remove', id)).toMatchObject({ status: 0, out: `Removed ${id}.` });
    expect((await queued('status', '--json')).out).toContain('"submissions":[]');
  });

  it('ends a worker that lacks the checkpoint, and says which options are wrong', async () => {
    expect(await queued('submit', run, ...EVALUATION, ...SIZE, '--store', at('store'))).toMatchObject({ status: 0 });
    const { status, lines } = work(at('elsewhere'));
    expect(await status).toBe(1);
    expect(lines.err.join('\n')).toContain('elsewhere does not exist');
    expect((await cert('worker', '--redis', 'redis://127.0.0.1:1')).err).toContain('127.0.0.1:1 cannot be reached');
    expect((await cert('worker', '--redis', server.url, '--concurrency', '0')).err).toContain('--concurrency is 0.');
    expect((await cert('worker', '--redis', server.url, '--lock-seconds', '1.5')).err).toContain(
      '--lock-seconds is 1.5.',
    );
    expect((await cert('worker')).err).toContain('The address of Redis is missing.');
    expect((await queued('status', 'abc')).err).toContain('"abc" is not the ID of a submission.');
    expect((await queued('collect', '0123456789ab', '--out', at('x.jsonl'))).err).toContain(
      'has no submission 0123456789ab',
    );
    expect((await queued('submit', run, '--epsilon', 'x')).err).toContain('--epsilon');
  });
});
