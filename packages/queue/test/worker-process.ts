/** A worker as a process of its own: `worker-process.ts URL STORE`. A job takes 20 ms; one of an evaluation called `deadly` kills it. */
import { setTimeout as wait } from 'node:timers/promises';
import { createWorker } from '../src/worker.js';
import { openEvaluation } from './evaluation.js';

const [redis = '', store = ''] = process.argv.slice(2);
const { ended, stop } = await createWorker({
  ...{ redis, store, lockSeconds: 1 },
  open: {
    async evaluation(evaluation, fetch) {
      const evaluator = await openEvaluation(evaluation, fetch);
      return {
        ...evaluator,
        async evaluate(images, signal) {
          await wait(20);
          if (evaluation.setup.name === 'deadly' && images.includes(3)) process.kill(process.pid, 'SIGKILL');
          return evaluator.evaluate(images, signal);
        },
      };
    },
  },
});
process.on('SIGTERM', () => void stop());
await ended;
