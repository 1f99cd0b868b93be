import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  collectResults,
  createWorker,
  type Openers,
  type QueueWorker,
  queueStatus,
  removeSubmission,
  submitEvaluation,
  type WorkerEvent,
  type WorkerOptions,
} from '../src/index.js';
import { CHECKPOINT, evaluationOf, linesOf, openEvaluation } from './evaluation.js';
import { noRedis, type RedisServer, startRedis } from './redis-server.js';

let place: string;
let server: RedisServer;
let store: string;
let workers: QueueWorker[] = [];
beforeAll(async () => {
  if (noRedis !== '') return;
  place = await mkdtemp(join(tmpdir(), 'cert-queue-'));
  store = join(place, 'store');
  server = await startRedis();
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  workers = [];
});
afterAll(async () => {
  await server?.stop();
  if (place) await rm(place, { recursive: true, force: true });
});

const submit = (images: number, name: string, jobsOf = 5) =>
  submitEvaluation({
    ...{ redis: server.url, store, evaluation: evaluationOf(images, name), checkpoint: CHECKPOINT, jobsOf },
  });

/** Starts a worker, and waits for the event that a job has ended in. */
async function work(options: Partial<WorkerOptions> = {}) {
  const events: WorkerEvent[] = [];
  const worker = await createWorker({
    ...{ redis: server.url, store, open: { evaluation: openEvaluation }, lockSeconds: 2, ...options },
    onEvent: (event) => void events.push(event),
  });
  workers.push(worker);
  return { worker, events };
}

/** An evaluation that lasts until it is stopped. */
const stuck: Openers['evaluation'] = async () => ({
  evaluate: (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    }),
  dispose: async () => {},
});

const statusOf = async (id: string) => (await queueStatus(server.url, id)).submissions[0]!;

/** Waits until no job of an evaluation can change any more. */
const settled = (id: string) =>
  expect
    .poll(
      async () => {
        const { jobs, done, failed } = await statusOf(id);
        return done + failed.length === jobs;
      },
      { timeout: 30_000, interval: 50 },
    )
    .toBe(true);

const contentOf = async (file: string) => (await readFile(file, 'utf8')).trimEnd().split('\n');

describe.skipIf(noRedis !== '')(`a queue${noRedis}`, () => {
  it('gives the file that one evaluation gives, and can be submitted twice', async () => {
    const first = await submit(23, 'whole');
    expect(first).toMatchObject({ jobs: 5, before: 0, retried: 0, warnings: [] });
    expect(await submit(23, 'whole')).toMatchObject({ id: first.id, jobs: 5, before: 5, retried: 0 });
    expect(await statusOf(first.id)).toMatchObject({ done: 0, jobs: 5, complete: false, missing: 0, failed: [] });
    const { events } = await work({ concurrency: 2 });
    await settled(first.id);
    const out = join(place, 'whole.jsonl');
    const summary = await collectResults({ redis: server.url, id: first.id, out });
    expect(summary).toMatchObject({ images: 23, device: 'tfjs', settings: { dataset: 'points' } });
    const [, ...lines] = await contentOf(out);
    expect(lines.sort()).toEqual(await linesOf(evaluationOf(23)));
    expect(events.filter(({ type }) => type === 'done')).toHaveLength(5);
    // A file of other data: the same settings, one input that differs.
    const foreign = join(place, 'foreign.jsonl');
    const text = await readFile(out, 'utf8');
    await writeFile(foreign, text.replace(/"input":"[0-9a-f]{16}"/, '"input":"0123456789abcdef"'));
    await expect(collectResults({ redis: server.url, id: first.id, out: foreign })).rejects.toThrow(
      /has a result for other values or another label of image \d+ than the queue/,
    );
    expect((await queueStatus(server.url)).workers).toHaveLength(1);
    await removeSubmission(server.url, first.id);
    await expect(queueStatus(server.url, first.id)).rejects.toThrow(`has no submission ${first.id}`);
  });

  it('takes from the file what is of the same data, and no proof that a counterexample contradicts', async () => {
    const { id } = await submit(23, 'foreign');
    const out = join(place, 'mixed.jsonl');
    const collect = () => collectResults({ redis: server.url, id, out });
    const evaluation = evaluationOf(23);
    const lines = await linesOf(evaluation);
    const write = (own: readonly string[]) =>
      writeFile(
        out,
        `${[JSON.stringify({ format: 'cert-evaluation-1', ...evaluation.settings }), ...own].join('\n')}\n`,
      );
    // Nothing is in the queue yet: the file has every image, of which one has other values.
    await write(lines.map((line) => line.replace(/("index":7,.*"input":")[0-9a-f]{16}/, '$10123456789abcdef')));
    const foreign = await readFile(out, 'utf8');
    await expect(collect()).rejects.toMatchObject({
      ...{ code: 'run-exists', problem: `${out} has results of other images or labels than the queue.` },
    });
    expect(await readFile(out, 'utf8')).toBe(foreign);
    await write(lines);
    // An evaluation without the queue is at work on the file.
    await writeFile(`${out}.lock`, JSON.stringify({ pid: process.ppid, host: hostname() }));
    await expect(collect()).rejects.toMatchObject({ code: 'in-use' });
    await rm(`${out}.lock`);
    expect(await collect()).toMatchObject({ images: 23 });
    await work();
    await settled(id);
    expect(await collect()).toMatchObject({ images: 23 });
    const proved = lines.findIndex((line) => JSON.parse(line).verifiedBy === 'ibp');
    const broken = { ...JSON.parse(lines[proved]!), lower: {}, verifiedBy: null, attack: { found: true, margin: -1 } };
    await write(lines.map((line, i) => (i === proved ? JSON.stringify(broken) : line)));
    await expect(collect()).rejects.toMatchObject({
      code: 'bad-data',
      problem: expect.stringContaining(`contradict each other on image ${broken.index}: broken and verified.`),
    });
    await removeSubmission(server.url, id);
  });

  it('tries a job again, gives up on one that always fails, and never says that the evaluation is complete', async () => {
    const { id } = await submit(20, 'poison', 4);
    let poisoned = true;
    await work({
      open: {
        async evaluation(evaluation, fetch) {
          const evaluator = await openEvaluation(evaluation, fetch);
          return {
            ...evaluator,
            async evaluate(images, signal) {
              if (poisoned && images.includes(3)) throw new Error('out of luck');
              return evaluator.evaluate(images, signal);
            },
          };
        },
      },
    });
    await settled(id);
    const status = await statusOf(id);
    expect(status).toMatchObject({ done: 4, complete: false, missing: 0 });
    expect(status.failed).toMatchObject([{ reason: 'out of luck', items: expect.arrayContaining([3]) }]);
    const out = join(place, 'poison.jsonl');
    await expect(collectResults({ redis: server.url, id, out })).rejects.toThrow(
      /not complete: 4 of 20 images have no result\. 1 jobs have failed \(job \d: out of luck\)\./,
    );
    expect(await contentOf(out)).toHaveLength(17);
    await expect(readFile(join(place, 'poison.json'))).rejects.toThrow('ENOENT');
    poisoned = false;
    expect(await submit(20, 'poison', 4)).toMatchObject({ before: 5, retried: 1 });
    await settled(id);
    expect(await collectResults({ redis: server.url, id, out })).toMatchObject({ images: 20 });
    expect((await contentOf(out)).slice(1).sort()).toEqual(await linesOf(evaluationOf(20)));
  });

  it('never evaluates a checkpoint with another hash, and gives the job back', async () => {
    const { id } = await submit(3, 'hash');
    const damaged = join(place, 'damaged');
    await mkdir(damaged);
    const { checkpoint } = evaluationOf(3).settings;
    await writeFile(join(damaged, checkpoint), 'another network');
    const { worker } = await work({ store: damaged });
    await expect(worker.ended).rejects.toThrow(/has another hash: [0-9a-f]{64}\. It is not used/);
    const { worker: poor } = await work({ store: join(place, 'nothing') });
    await expect(poor.ended).rejects.toThrow(/The store .*nothing does not exist/);
    expect(await statusOf(id)).toMatchObject({ done: 0, failed: [] });
    await work();
    await settled(id);
    expect(await statusOf(id)).toMatchObject({ complete: true });
  });

  it('returns a job when it is stopped, which does not count as an attempt', async () => {
    const { id } = await submit(2, 'stopped', 2);
    const { worker, events } = await work({ open: { evaluation: stuck } });
    await expect.poll(() => events.length).toBe(1);
    await worker.stop();
    await worker.ended;
    expect(await statusOf(id)).toMatchObject({ active: 0, done: 0, failed: [] });
    await work();
    await settled(id);
    expect(await statusOf(id)).toMatchObject({ complete: true });
  });

  it('ends when it is stopped while Redis is gone, and the job goes to another worker', async () => {
    const own = await startRedis();
    const { id } = await submitEvaluation({
      ...{ redis: own.url, store, evaluation: evaluationOf(2, 'gone'), checkpoint: CHECKPOINT, jobsOf: 2 },
    });
    const { worker, events } = await work({ redis: own.url, open: { evaluation: stuck }, lockSeconds: 1 });
    await expect.poll(() => events.length).toBe(1);
    await own.end();
    await worker.stop();
    await worker.ended;
    await own.start();
    await work({ redis: own.url, lockSeconds: 1 });
    const isComplete = async () => (await queueStatus(own.url, id)).submissions[0]!.complete;
    await expect.poll(isComplete, { timeout: 20_000 }).toBe(true);
    await Promise.all(workers.splice(0).map((each) => each.stop()));
    await own.stop();
  });

  it('drops results that do not belong to their job', async () => {
    const { id } = await submit(4, 'forged', 2);
    await work({
      open: {
        async evaluation(evaluation, fetch) {
          const evaluator = await openEvaluation(evaluation, fetch);
          return {
            ...evaluator,
            async evaluate(images, signal) {
              const result = await evaluator.evaluate(images, signal);
              return images.includes(0)
                ? { ...result, lines: result.lines.map((line) => Object.assign({}, line, { index: 1 })) }
                : result;
            },
          };
        },
      },
    });
    await settled(id);
    const out = join(place, 'forged.jsonl');
    await expect(collectResults({ redis: server.url, id, out })).rejects.toThrow(
      'the results of 1 jobs are damaged and were dropped',
    );
  });

  it('says what is wrong', async () => {
    await expect(queueStatus(server.url, 'abc')).rejects.toThrow('"abc" is not the ID of a submission');
    await expect(queueStatus(server.url, '0123456789ab')).rejects.toThrow('has no submission 0123456789ab');
    await expect(queueStatus('redis://127.0.0.1:1')).rejects.toThrow(
      /Redis at 127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/,
    );
    for (const url of ['http://localhost', 'localhost:6379', 'redis://:secret@']) {
      const error = await queueStatus(url).catch((one: unknown) => one);
      expect(String(error)).toContain('is not a URL that begins with redis://');
      expect(String(error)).not.toContain('secret');
    }
    const locked = await startRedis('--requirepass', 'right');
    try {
      await expect(queueStatus(locked.url)).rejects.toThrow('asks for a password');
      const wrong = await queueStatus(locked.url.replace('//', '//:wrong@')).catch((one: unknown) => one);
      expect(String(wrong)).toContain('refuses the user or the password');
      expect(String(wrong)).not.toContain('wrong@');
      expect(await queueStatus(locked.url.replace('//', '//:right@'))).toMatchObject({ submissions: [] });
    } finally {
      await locked.stop();
    }
  });
});
