/** A worker as a process of its own: `worker-process.ts URL STORE`. A job takes 20 ms; one of an evaluation called `deadly` kills it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { JobEvaluator } from '../src/openers.js';
import { createWorker } from '../src/worker.js';
import { openEvaluation } from './evaluation.js';
import { openInstances } from './instances.js';

const [redis = '', store = ''] = process.argv.slice(2);

/** Does the same, later. */
const slow = (evaluator: JobEvaluator, before: (items: readonly number[]) => void = () => {}): JobEvaluator => ({
  ...evaluator,
  async evaluate(items, signal) {
    await wait(20);
    before(items);
    return evaluator.evaluate(items, signal);
  },
});

const { ended, stop } = await createWorker({
  ...{ redis, store, lockSeconds: 1 },
  open: {
    async evaluation(evaluation, fetch) {
      const deadly = evaluation.setup.name === 'deadly';
      return slow(await openEvaluation(evaluation, fetch), (items) => {
        if (deadly && items.includes(3)) process.kill(process.pid, 'SIGKILL');
      });
    },
    instances: async (work, fetch) => slow(await openInstances(work, fetch)),
  },
});
process.on('SIGTERM', () => void stop());
await ended;
