/** Workers that are killed, and a server that loses its power: every image has exactly one line, that of one process. SOAK is the number of jobs. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { collectResults, queueStatus, submitEvaluation } from '../src/index.js';
import { CHECKPOINT, evaluationOf, linesOf } from './evaluation.js';
import { endProcess, startWorker } from './processes.js';
import { noRedis, startRedis } from './redis-server.js';

const JOBS = Number(process.env.SOAK ?? 300);
const WORKERS = 4;

it.skipIf(noRedis !== '')(`${JOBS} jobs, workers killed at random, Redis restarted${noRedis}`, async () => {
  const place = await mkdtemp(join(tmpdir(), 'cert-queue-'));
  const server = await startRedis();
  const store = join(place, 'store');
  const workers = Array.from({ length: WORKERS }, () => startWorker(server.url, store, 1));
  try {
    const evaluation = evaluationOf(JOBS);
    const { id, jobs } = await submitEvaluation({
      ...{ redis: server.url, store, evaluation, checkpoint: CHECKPOINT, jobsOf: 1 },
    });
    expect(jobs).toBe(JOBS);
    let [restarted, killed] = [false, 0];
    for (;;) {
      await wait(200 + 300 * Math.random());
      const { evaluations } = await queueStatus(server.url, id);
      const [{ done, complete, failed } = { done: 0, complete: false, failed: [] }] = evaluations;
      expect(failed).toEqual([]);
      if (complete) break;
      if (done === 0) continue;
      if (!restarted && done > JOBS / 3) {
        restarted = true;
        await server.restart();
      }
      const victim = Math.floor(Math.random() * WORKERS);
      await endProcess(workers[victim]!, 'SIGKILL');
      workers[victim] = startWorker(server.url, store, 1);
      killed++;
    }
    const out = join(place, 'all.jsonl');
    const summary = await collectResults({ redis: server.url, id, out });
    expect(summary.images).toBe(JOBS);
    const [header, ...lines] = (await readFile(out, 'utf8')).trimEnd().split('\n');
    expect(JSON.parse(header!)).toEqual({ format: 'cert-evaluation-1', ...evaluation.settings });
    expect(lines.map((line) => JSON.parse(line).index)).toEqual([...Array(JOBS).keys()]);
    expect(lines.sort()).toEqual(await linesOf(evaluation));
    expect(restarted && killed > 0).toBe(true);
  } finally {
    await Promise.all(workers.map((worker) => endProcess(worker, 'SIGKILL')));
    await server.stop();
    await rm(place, { recursive: true, force: true });
  }
});
