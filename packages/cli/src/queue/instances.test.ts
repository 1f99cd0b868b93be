/** Instances through a queue, on small networks: Y_0 = |X_0 - X_1| and Y_1 = 0.5. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { dense, relu, sequential } from '@cert/core';
import { toLayersModel } from '@cert/interchange';
import { queueStatus, submitWork } from '@cert/queue';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { noRedis, type RedisServer, startRedis } from '../../../queue/test/redis-server.js';
import { KEY, startS3 } from '../../../queue/test/s3-server.js';
import { cert } from '../../test/cert.js';
import { distanceNetwork, vnnlib } from '../../test/make-onnx.js';
import { main } from '../main.js';
import { ownVersion } from '../version.js';

let place: string;
let server: RedisServer;
const at = (name: string) => join(place, name);

const LIST = [
  'net.onnx,sat.vnnlib,60',
  'net.onnx,unsat.vnnlib,60',
  'missing.onnx,unsat.vnnlib,60',
  'net.onnx,missing.vnnlib,60',
  'net.onnx,inputs.vnnlib,60',
  'nan.onnx,unsat.vnnlib,60',
  'garbage.onnx.gz,unsat.vnnlib,60',
  'net.onnx.gz,unsat.vnnlib.gz,60',
  'layers/model.json,sat.vnnlib,60',
  'lost/model.json,sat.vnnlib,60',
];
const VERDICTS = ['sat', 'unsat', 'error', 'error', 'error', 'error', 'error', 'unsat', 'sat', 'error'];

beforeAll(async () => {
  if (noRedis !== '') return;
  place = await mkdtemp(join(tmpdir(), 'cert-instances-'));
  server = await startRedis();
  const host = (shape: readonly number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) });
  const { json, weights } = toLayersModel({
    model: sequential([2], [dense(2), relu(), dense(2)]),
    params: {
      dense1: { kernel: host([2, 2], 1, -1, -1, 1), bias: host([2], 0, 0) },
      dense2: { kernel: host([2, 2], 1, 0, 1, 0), bias: host([2], 0, 0.5) },
    },
    stats: {},
  });
  const files: { readonly [name: string]: string | Uint8Array } = {
    'net.onnx': distanceNetwork(),
    'net.onnx.gz': gzipSync(distanceNetwork()),
    'nan.onnx': distanceNetwork({ scale: Number.NaN }),
    'garbage.onnx.gz': 'no gzip',
    'sat.vnnlib': vnnlib('(>= Y_0 0.9)'),
    'unsat.vnnlib': vnnlib('(>= Y_0 1.1)'),
    'unsat.vnnlib.gz': gzipSync(vnnlib('(>= Y_0 1.1)')),
    'inputs.vnnlib': vnnlib('(>= Y_0 0.9)', { inputs: 3 }),
    'list.csv': `onnx,vnnlib,timeout,benchmark\n${LIST.map((line, i) => `${line},${i % 2 ? 'odd' : 'even'}`).join('\n')}\n`,
    'layers/model.json': JSON.stringify(json),
    'layers/weights.bin': weights,
    'lost/model.json': JSON.stringify(json),
  };
  await mkdir(at('layers'));
  await mkdir(at('lost'));
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content);
});
afterAll(async () => {
  await server?.stop();
  if (place) await rm(place, { recursive: true, force: true });
});

const queued = (command: string, ...args: string[]) => cert('queue', command, ...args, '--redis', server.url);
const submit = (...args: string[]) =>
  queued('submit', '--instances', at('list.csv'), '--device', 'tfjs', '--store', at('store'), ...args);

/** Runs a worker in this process, until it is aborted. */
function work(store: string) {
  const stop = new AbortController();
  const err: string[] = [];
  const terminal = { out: () => {}, err: (line: string) => void err.push(line), screen: null };
  const status = main(['worker', '--redis', server.url, '--store', store], terminal, stop.signal);
  return { stop: () => stop.abort(), status, err };
}

/** The lines of a file without what a clock says. */
const linesIn = async (file: string) =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { seconds, prepare, ...others } = JSON.parse(line);
      return JSON.stringify(others);
    });

describe.skipIf(noRedis !== '')(`cert queue submit --instances${noRedis}`, () => {
  it('writes the lines that cert verify --instances writes, and cert merge takes them', async () => {
    const alone = at('alone.jsonl');
    expect(await cert('verify', '--instances', at('list.csv'), '--device', 'tfjs', '--out', alone)).toMatchObject({
      status: 0,
    });
    const submitted = await submit();
    expect(submitted).toMatchObject({
      status: 0,
      err: expect.stringMatching(
        /^warning: 3 of 10 instances name a file that cannot be read; their results are errors\. The first: .*missing\.onnx cannot be read/,
      ),
    });
    const id = /^([0-9a-f]{12}): 10 instances in 10 jobs\.$/m.exec(submitted.out)![1]!;
    // Each file once, under its hash: nothing else is in the store.
    expect((await readdir(at('store'))).every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);
    expect(await readdir(at('store'))).toHaveLength(10);
    expect((await queued('status')).out).toMatch(
      new RegExp(`${id} +properties of .*, deployed +10 instances +0 of 10`),
    );
    const out = at('queue.jsonl');
    expect(await queued('collect', id, '--out', out)).toMatchObject({
      status: 1,
      err: expect.stringContaining('10 of 10 instances have no result. 10 jobs are not done'),
    });
    const worker = work(at('store'));
    const waited = await submit('--wait', '--out', out, '--quiet');
    worker.stop();
    expect(await worker.status).toBe(130);
    expect(worker.err).toEqual([]);
    expect(waited.status).toBe(0);
    expect(waited.out).toMatch(/^even +5 +0 +2 +0 +3 /m);
    const lines = await linesIn(out);
    expect(lines.map((line) => JSON.parse(line).result)).toEqual(VERDICTS);
    expect(lines).toEqual(await linesIn(alone));
    const table = async (file: string) =>
      (await readFile(file, 'utf8')).split('\n').map((row) => row.split(',').filter((_, i) => i !== 3 && i !== 5));
    expect(await table(at('queue.csv'))).toEqual(await table(at('alone.csv')));
    const merged = await cert('merge', '--instances', at('list.csv'), out, '--out', at('merged.jsonl'));
    expect(merged).toMatchObject({ status: 0, err: '' });
    expect(await readFile(at('merged.jsonl'), 'utf8')).toBe(await readFile(out, 'utf8'));
    // One process continues the file of the queue, which is whole.
    const continued = await cert('verify', '--instances', at('list.csv'), '--device', 'tfjs', '--out', out);
    expect(continued.out).toContain('10 of 10 instances already have results.');
    const foreign = await cert('queue', 'collect', id, '--redis', server.url, '--out', at('foreign.jsonl'));
    expect(foreign.status).toBe(0);
    await writeFile(at('foreign.jsonl'), (await readFile(out, 'utf8')).replaceAll('"timeout":60', '"timeout":61'));
    expect((await queued('collect', id, '--out', at('foreign.jsonl'))).err).toContain('has a result of another list');
    const collected = async (change: (text: string) => string) => {
      await writeFile(at('foreign.jsonl'), change(await readFile(out, 'utf8')));
      return (await queued('collect', id, '--out', at('foreign.jsonl'))).err;
    };
    expect(await collected((text) => text.replaceAll('"asked":"deployed"', '"asked":"nearest"'))).toContain(
      'has a result of --arithmetic nearest, not deployed.',
    );
    expect(await collected((text) => text.replaceAll(/"version":"[^"]*"/g, '"version":"0.0.9"'))).toContain(
      `has a result of cert 0.0.9, not cert ${ownVersion()}.`,
    );
    expect(await collected((text) => text.replaceAll('"result":"sat"', '"result":"unsat"'))).toContain(
      'the queue and ',
    );
    expect(await queued('remove', id)).toMatchObject({ status: 0 });
  });

  it('keeps the files in S3, waits for a Redis that restarts, and says how to go on after Ctrl-C', async () => {
    const [s3, own] = [await startS3(), await startRedis()];
    const values = { AWS_ENDPOINT_URL_S3: s3.url, AWS_ACCESS_KEY_ID: KEY.id, AWS_SECRET_ACCESS_KEY: KEY.secret };
    for (const [name, value] of Object.entries(values)) vi.stubEnv(name, value);
    await writeFile(at('two.csv'), 'net.onnx,sat.vnnlib,60\nnet.onnx,unsat.vnnlib,60\n');
    const common = ['--redis', own.url, '--store', 's3://nets/team'];
    const start = (args: readonly string[]) => {
      const stop = new AbortController();
      const lines: string[] = [];
      const line = (text: string) => void lines.push(text);
      const status = main([...args, ...common], { out: line, err: line, screen: null }, stop.signal);
      return { lines, status, stop: () => stop.abort() };
    };
    const [out, list] = [at('s3.jsonl'), at('two.csv')];
    const submitted = ['queue', 'submit', '--instances', list, '--device', 'tfjs', '--wait', '--out', out];
    try {
      const first = start(submitted);
      await expect.poll(async () => (await queueStatus(own.url)).open, { timeout: 20_000 }).toBe(2);
      expect([...s3.objects.keys()].every((key) => /^\/nets\/team\/[0-9a-f]{64}$/.test(key))).toBe(true);
      expect(s3.objects.size).toBe(3);
      await own.end();
      await expect.poll(() => first.lines.join('\n'), { timeout: 20_000 }).toContain('Waiting for it.');
      await own.start();
      first.stop();
      expect(await first.status).toBe(130);
      expect(first.lines.join('\n')).toMatch(
        /Stopped waiting\. The workers go on\. Results: .*queue collect [0-9a-f]{12} /,
      );
      const worker = start(['worker']);
      expect(await start(submitted).status).toBe(0);
      worker.stop();
      expect(await worker.status).toBe(130);
      expect((await linesIn(out)).map((line) => JSON.parse(line).result)).toEqual(['sat', 'unsat']);
      // Both properties and the network, each once.
      expect(s3.asked.filter((request) => request.startsWith('GET'))).toHaveLength(3);
    } finally {
      vi.unstubAllEnvs();
      await own.stop();
      await s3.stop();
    }
  });

  it('refuses what does not belong together', async () => {
    expect((await submit('--methods', 'ibp')).err).toContain('--instances and --methods were both given.');
    expect((await submit(at('run'))).err).toContain('--instances and a run were both given.');
    expect((await submit('--split', 'neurons')).err).toContain('--split');
    expect((await submit('--timeout', 'x')).err).toContain('--timeout');
    expect((await queued('submit', at('run'), '--split', 'inputs')).err).toContain('--split requires --instances.');
    expect((await queued('submit')).err).toContain('No run was given.');
    await writeFile(at('folder.csv'), 'layers,sat.vnnlib,1\n');
    expect((await queued('submit', '--instances', at('folder.csv'))).err).toContain('names the folder');
    await writeFile(at('empty.csv'), '');
    expect((await queued('submit', '--instances', at('empty.csv'))).err).toContain('contains no instances.');
  });

  it('opens nothing outside the store, and uses no file with another hash', async () => {
    const instance = (sha256: string, onnx = 'net.onnx') => ({
      ...{ index: 0, onnx, vnnlib: 'unsat.vnnlib', timeout: 60, columns: {}, files: 'a b' },
      ...{ network: { sha256: [sha256] }, property: { sha256: [sha256] } },
    });
    const forged = async (one: ReturnType<typeof instance>) => {
      const { id } = await submitWork({
        ...{ redis: server.url, kind: 'instances', jobsOf: 1, upload: async () => {} },
        work: {
          settings: { arithmetic: 'deployed', device: 'tfjs' },
          ...{ version: ownVersion(), folder: place, instances: [one] },
        },
      });
      const { status, err } = work(at('store'));
      expect(await status).toBe(1);
      await queued('remove', id);
      return err.join('\n');
    };
    // The files exist, and no job reaches them.
    expect(await forged(instance('../net.onnx'))).toContain('"../net.onnx" is not a SHA-256');
    expect(await forged(instance(at('net.onnx')))).toContain('is not a SHA-256');
    expect(await forged(instance('f'.repeat(64)))).toContain('lacks the file ffff');
    await writeFile(at(`store/${'e'.repeat(64)}`), 'another network');
    expect(await forged(instance('e'.repeat(64)))).toMatch(/has another hash: [0-9a-f]{64}\. It is not used/);
  });
});
