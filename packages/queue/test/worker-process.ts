/** A worker as a process of its own: `worker-process.ts URL STORE LOCK_SECONDS`. A job of an evaluation called `deadly` kills it. */
import { createWorker } from '../src/worker.js';
import { openEvaluation } from './evaluation.js';

const [redis = '', store = '', lockSeconds = ''] = process.argv.slice(2);
const { ended, stop } = await createWorker({
  ...{ redis, store, lockSeconds: Number(lockSeconds) },
  async open(evaluation) {
    const evaluator = await openEvaluation(evaluation);
    if (evaluation.setup.name !== 'deadly') return evaluator;
    return {
      ...evaluator,
      async evaluate(images, signal) {
        if (images.includes(3)) process.kill(process.pid, 'SIGKILL');
        return evaluator.evaluate(images, signal);
      },
    };
  },
});
process.on('SIGTERM', () => void stop());
await ended;
