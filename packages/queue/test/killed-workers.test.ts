/**
 * Workers that are killed, and a server that loses its power: every image and every instance has exactly one line, that of one
 * process. SOAK is the number of jobs.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectInstances, collectResults, queueStatus, submitEvaluation, submitWork } from '../src/index.js';
import { CHECKPOINT, evaluationOf, linesOf } from './evaluation.js';
import { instancesOf, lineOf } from './instances.js';
import { endProcess, startWorker } from './processes.js';
import { noRedis, startRedis } from './redis-server.js';

const JOBS = Number(process.env.SOAK ?? 200);
const isSoak = process.env.SOAK !== undefined;
const [WORKERS, KILLS] = isSoak ? [4, 20] : [2, 3];

it.skipIf(noRedis !== '')(`${JOBS} jobs, workers killed at random, Redis restarted${noRedis}`, async () => {
  const place = await mkdtemp(join(tmpdir(), 'cert-queue-'));
  const server = await startRedis();
  const store = join(place, 'store');
  const workers = Array.from({ length: WORKERS }, () => startWorker(server.url, store));
  try {
    const evaluation = evaluationOf(JOBS);
    const { id, jobs } = await submitEvaluation({
      ...{ redis: server.url, store, evaluation, checkpoint: CHECKPOINT, jobsOf: 1 },
    });
    expect(jobs).toBe(JOBS);
    const list = instancesOf(Math.ceil(JOBS / 3));
    const upload = async () => {};
    const listed = await submitWork({ redis: server.url, kind: 'instances', work: list, jobsOf: 3, upload });
    let [restarted, killed] = [false, 0];
    for (;;) {
      await wait(50 * Math.random());
      const { submissions } = await queueStatus(server.url);
      const done = submissions.find((one) => one.id === id)?.done ?? 0;
      const complete = submissions.length === 2 && submissions.every((one) => one.complete);
      expect(submissions.flatMap(({ failed }) => failed)).toEqual([]);
      if (complete) break;
      if (killed === KILLS || done < ((killed + 1) * JOBS) / (KILLS + 1)) continue;
      if (!restarted && done > JOBS / 2) {
        restarted = true;
        await server.end();
        await server.start();
      }
      const victim = killed++ % WORKERS;
      await endProcess(workers[victim]!, 'SIGKILL');
      workers[victim] = startWorker(server.url, store);
    }
    const out = join(place, 'all.jsonl');
    const summary = await collectResults({ redis: server.url, id, out });
    expect(summary.images).toBe(JOBS);
    const [header, ...lines] = (await readFile(out, 'utf8')).trimEnd().split('\n');
    expect(JSON.parse(header!)).toEqual({ format: 'cert-evaluation-1', ...evaluation.settings });
    expect(lines.map((line) => JSON.parse(line).index)).toEqual([...Array(JOBS).keys()]);
    expect(lines.sort()).toEqual(await linesOf(evaluation));
    const { lines: verified, problem } = await collectInstances(server.url, listed.id);
    expect(problem(verified.size, 'x.jsonl')).toBeUndefined();
    expect([...verified].sort(([a], [b]) => a - b)).toEqual(
      list.instances.map(({ index }) => [index, lineOf(list, index)]),
    );
    expect([restarted, killed]).toEqual([true, KILLS]);
  } finally {
    await Promise.all(workers.map((worker) => endProcess(worker, 'SIGKILL')));
    await server.stop();
    await rm(place, { recursive: true, force: true });
  }
});

it.skipIf(noRedis !== '' || !isSoak)(`a job that kills its workers fails in the end${noRedis}`, async () => {
  const place = await mkdtemp(join(tmpdir(), 'cert-queue-'));
  const server = await startRedis();
  const store = join(place, 'store');
  let worker = startWorker(server.url, store);
  try {
    const { id } = await submitEvaluation({
      ...{ redis: server.url, store, evaluation: evaluationOf(8, 'deadly'), checkpoint: CHECKPOINT, jobsOf: 1 },
    });
    for (;;) {
      await wait(200);
      if (worker.signalCode !== null) worker = startWorker(server.url, store);
      const [status] = (await queueStatus(server.url, id)).submissions;
      if (status!.done + status!.failed.length < 8) continue;
      expect(status!.failed).toMatchObject([{ items: [3], reason: expect.stringContaining('stalled') }]);
      break;
    }
    await expect(collectResults({ redis: server.url, id, out: join(place, 'x.jsonl') })).rejects.toThrow(
      'not complete: 1 of 8 images',
    );
  } finally {
    await endProcess(worker, 'SIGKILL');
    await server.stop();
    await rm(place, { recursive: true, force: true });
  }
});
