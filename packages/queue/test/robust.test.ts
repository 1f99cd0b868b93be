/** What goes wrong: people who remove and submit at once, other versions, other servers, workers that are too slow. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  collectInstances,
  createWorker,
  type QueueWorker,
  queueStatus,
  removeSubmission,
  submitEvaluation,
  submitWork,
  type WorkerEvent,
  type WorkerOptions,
} from '../src/index.js';
import { openRedis, PREFIX } from '../src/redis.js';
import { planOf } from '../src/work.js';
import { CHECKPOINT, evaluationOf, openEvaluation } from './evaluation.js';
import { instancesOf, lineOf, openInstances } from './instances.js';
import { noRedis, type RedisServer, startRedis } from './redis-server.js';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

let place: string;
let server: RedisServer;
let store: string;
let workers: QueueWorker[] = [];
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-queue-'));
  if (noRedis !== '') return;
  store = join(place, 'store');
  server = await startRedis();
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  workers = [];
});
afterAll(async () => {
  await server?.stop();
  await rm(place, { recursive: true, force: true });
});

const submit = (name: string, images = 10) =>
  submitEvaluation({
    ...{ redis: server.url, store, evaluation: evaluationOf(images, name), checkpoint: CHECKPOINT, jobsOf: 2 },
  });

async function work(open: WorkerOptions['open'] = { evaluation: openEvaluation, instances: openInstances }) {
  const events: WorkerEvent[] = [];
  const onEvent = (event: WorkerEvent) => void events.push(event);
  const worker = await createWorker({ redis: server.url, store, lockSeconds: 1, open, onEvent });
  workers.push(worker);
  return { worker, events };
}

/** Evaluators that wait until `release` is called. */
function gate() {
  let release = () => {};
  const opened = new Promise<void>((resolve) => {
    release = resolve;
  });
  const evaluation: NonNullable<WorkerOptions['open']['evaluation']> = async (own, fetch) => {
    const evaluator = await openEvaluation(own, fetch);
    return {
      ...evaluator,
      async evaluate(items, signal) {
        await opened;
        return evaluator.evaluate(items, signal);
      },
    };
  };
  return { evaluation, release: () => release() };
}

const statusOf = async (id: string) => (await queueStatus(server.url, id)).submissions[0]!;
const isComplete = (id: string) =>
  expect.poll(async () => (await statusOf(id)).complete, { timeout: 30_000, interval: 50 }).toBe(true);

/** Puts a part with one job into Redis, as another program could. */
async function forge(id: string, data: unknown): Promise<void> {
  const { options } = await openRedis(server.url);
  const [parts, jobs] = ['submissions', 'jobs'].map((name) => new Queue(name, { connection: options, prefix: PREFIX }));
  await parts!.add('part', data, { jobId: `${id}-part-0` });
  const parent = { id: `${id}-part-0`, queue: parts!.qualifiedName };
  await jobs!.add('x', { items: [0] }, { jobId: `${id}-job-0`, parent, ignoreDependencyOnFailure: true });
  await Promise.all([parts!.close(), jobs!.close()]);
}

describe.skipIf(noRedis !== '')(`a queue in use${noRedis}`, () => {
  it('is not removed under a worker; what a removal took away is put back by the same submission', async () => {
    const { id } = await submit('removed');
    const { evaluation, release } = gate();
    const { events } = await work({ evaluation });
    await expect.poll(() => events.length).toBe(1);
    await expect(removeSubmission(server.url, id)).rejects.toThrow(`Workers are at jobs of the submission ${id}.`);
    expect(await statusOf(id)).toMatchObject({ missing: 4, active: 1 });
    expect(await submit('removed')).toMatchObject({ id, jobs: 5, before: 1 });
    expect(await statusOf(id)).toMatchObject({ missing: 0 });
    release();
    await isComplete(id);
    expect(await submit('removed')).toMatchObject({ id, jobs: 5, before: 5 });
    await removeSubmission(server.url, id);
    expect((await queueStatus(server.url)).submissions).toEqual([]);
  });

  it('tells of a job that another worker got, and takes one result', async () => {
    const { id } = await submit('lost', 2);
    const { evaluation, release } = gate();
    const { events } = await work({ evaluation });
    await expect.poll(() => events.length).toBe(1);
    const { options } = await openRedis(server.url);
    const redis = new Redis(options);
    // What the server does when a worker is silent.
    await redis.del(`${PREFIX}:jobs:${id}-job-0:lock`);
    redis.disconnect();
    release();
    await isComplete(id);
    expect(events.filter(({ type }) => type === 'lost')).toEqual([{ type: 'lost', id, job: 0 }]);
    expect(events.filter(({ type }) => type === 'disconnected')).toEqual([]);
    expect(await statusOf(id)).toMatchObject({ done: 1, jobs: 1, failed: [] });
    await removeSubmission(server.url, id);
  });

  it('opens an evaluator again after one has failed', async () => {
    const { id } = await submit('flaky', 2);
    let [opened, disposed] = [0, 0];
    await work({
      async evaluation(own, fetch) {
        const evaluator = await openEvaluation(own, fetch);
        const first = opened++ === 0;
        return {
          evaluate: (items, signal) =>
            first ? Promise.reject(new Error('device lost')) : evaluator.evaluate(items, signal),
          dispose: () => {
            disposed++;
            return evaluator.dispose();
          },
        };
      },
    });
    await isComplete(id);
    expect([opened, disposed]).toEqual([2, 1]);
    await removeSubmission(server.url, id);
  });

  it('shows what it can read beside what it cannot, which fails, is of no worker of another version, and can be removed', async () => {
    const { id } = await submit('good', 2);
    await forge('0123456789aa', { kind: 'evaluation', count: 1 });
    await forge('0123456789bb', { kind: 'evaluation', work: 'x', count: 1, jobsOf: 1, submitted: 1 });
    const { worker } = await work();
    await isComplete(id);
    const { options } = await openRedis(server.url);
    const jobs = new Queue('jobs', { connection: options, prefix: PREFIX });
    await expect.poll(() => jobs.getFailedCount()).toBe(2);
    await jobs.close();
    const { damaged, submissions } = await queueStatus(server.url);
    expect(submissions.map((one) => one.id)).toEqual([id]);
    expect(damaged.map((one) => one.id).sort()).toEqual(['0123456789aa', '0123456789bb']);
    await expect(queueStatus(server.url, '0123456789aa')).rejects.toThrow('not one that cert queue submit writes');
    // A later version may know it.
    await forge('0123456789cc', { kind: 'dream', work: {}, count: 1, jobsOf: 1, submitted: 1 });
    await expect(worker.ended).rejects.toThrow('work of the kind "dream", which this version of cert does not know');
    for (const each of [id, '0123456789aa', '0123456789bb', '0123456789cc']) await removeSubmission(server.url, each);
    expect(await queueStatus(server.url)).toMatchObject({ submissions: [], damaged: [], open: 0 });
    await expect(removeSubmission(server.url, id)).rejects.toThrow(`has no submission ${id}`);
  });

  it('takes no result of an instance about other files, another claim or without a witness', async () => {
    const list = instancesOf(10, 'forged');
    const upload = async () => {};
    const { id } = await submitWork({ redis: server.url, kind: 'instances', work: list, jobsOf: 1, upload });
    const changes: readonly object[] = [
      {},
      { files: 'a b' },
      { asked: 'nearest' },
      { result: 'holds' },
      { witness: '' },
      { seconds: Number.NaN },
      { onnx: 'other.onnx' },
      { result: 'unsat', arithmetic: 'exact' },
      { version: '1' },
      { version: undefined },
    ];
    const results = new Map<number, unknown>();
    const { events } = await work({
      async instances(own, fetch) {
        const evaluator = await openInstances(own, fetch);
        return {
          ...evaluator,
          evaluate: async ([index = 0], signal) => {
            const line = { ...lineOf(own, index), ...changes[index] };
            results.set(index, line);
            return { ...(await evaluator.evaluate([index], signal)), lines: [{ index, line }] };
          },
        };
      },
    });
    await expect.poll(() => events.filter(({ type }) => type === 'failed').length).toBeGreaterThanOrEqual(9);
    expect(results.size).toBe(10);
    await Promise.all(workers.splice(0).map((each) => each.stop()));
    const { lines, problem } = await collectInstances(server.url, id);
    expect([...lines.keys()]).toEqual([0]);
    expect(problem(lines.size, 'x.jsonl')?.message).toContain('9 of 10 instances have no result');
    await removeSubmission(server.url, id);
  });

  it('does not take the instances of the parts that are there for all of a list', async () => {
    // Cut into two parts, of which the second is lost.
    const list = instancesOf(10_002, 'parts');
    const upload = async () => {};
    const { id } = await submitWork({ redis: server.url, kind: 'instances', work: list, jobsOf: 10_001, upload });
    const { options } = await openRedis(server.url);
    const parts = new Queue('submissions', { connection: options, prefix: PREFIX });
    await parts.remove(`${id}-part-1`);
    await parts.close();
    await work();
    await expect.poll(async () => (await statusOf(id)).done, { timeout: 30_000, interval: 100 }).toBe(1);
    const { instances, lines, problem } = await collectInstances(server.url, id);
    expect([instances.length, lines.size]).toEqual([10_001, 10_001]);
    expect(problem(lines.size, 'x.jsonl')?.message).toContain('1 of 10002 instances have no result. 1 jobs are not');
    await removeSubmission(server.url, id);
  });

  it('does not wait for ever for a server that goes while something is submitted', async () => {
    const own = await startRedis();
    try {
      const work = instancesOf(3, 'gone');
      const upload = () => own.end();
      await expect(submitWork({ redis: own.url, kind: 'instances', work, jobsOf: 1, upload })).rejects.toThrow(
        'cannot be reached',
      );
      // The same submission continues.
      await own.start();
      expect(
        await submitWork({ redis: own.url, kind: 'instances', work, jobsOf: 1, upload: async () => {} }),
      ).toMatchObject({ jobs: 3, before: 0 });
    } finally {
      await own.stop();
    }
  });

  it('says what answers instead of Redis, and which database there is not', async () => {
    await expect(queueStatus(`${server.url}/99`)).rejects.toThrow('database 99 has no such database');
    await expect(queueStatus(`${server.url}/-1`)).rejects.toThrow('is not a URL that begins with redis://');
    const malformed = await queueStatus('redis://:50%secret@127.0.0.1:1').catch((error: unknown) => error);
    expect(String(malformed)).toContain('a % in a password is written %25');
    expect(String(malformed)).not.toContain('secret');
    const web = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    await once(web, 'listening');
    const address = web.address();
    const port = typeof address === 'object' ? address?.port : '';
    await expect(queueStatus(`redis://127.0.0.1:${port}`)).rejects.toThrow('does not answer as a Redis server does');
    web.closeAllConnections();
    web.close();
  });
});

it.skipIf(!hasOpenssl)(
  `says that the certificate of a server is not trusted${hasOpenssl ? '' : ' (skipped without openssl)'}`,
  async () => {
    const [key, cert] = [join(place, 'key.pem'), join(place, 'cert.pem')];
    const made = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-subj',
      '/CN=localhost',
    ];
    expect(spawnSync('openssl', made).status).toBe(0);
    const tls = createTlsServer({ key: await readFile(key), cert: await readFile(cert) });
    tls.on('tlsClientError', () => {});
    await once(tls.listen(0, '127.0.0.1'), 'listening');
    const { port } = tls.address() as AddressInfo;
    try {
      const error = await queueStatus(`rediss://127.0.0.1:${port}`).catch((one: unknown) => one);
      expect(String(error)).toContain('has a certificate that is not trusted: ');
      expect(error).toMatchObject({ cure: expect.stringContaining('NODE_EXTRA_CA_CERTS=FILE.pem') });
    } finally {
      tls.close();
    }
  },
);

it('holds at most 20,000 items in a part', () => {
  const plan = planOf('a', { count: 50_001, jobsOf: 100 });
  expect(plan.jobs).toBe(501);
  expect(plan.parts.map(({ from, to }) => [from, to])).toEqual([
    [0, 200],
    [200, 400],
    [400, 501],
  ]);
  expect(planOf('a', { count: 3, jobsOf: 10 ** 6 }).parts).toHaveLength(1);
});
