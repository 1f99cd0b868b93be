import { CertError } from '@cert/core';
import { decodeCheckpoint } from '@cert/models';
import type { Fetch, JobEvaluator, QueuedEvaluation } from '@cert/queue';
import { exampleWords } from '@cert/trainer/pipeline';
import {
  createEvaluator,
  differingSetting,
  evaluationSettings,
  type StoredResult,
  splitHash,
  summaryFileOf,
} from '@cert/verify/node';
import { openDeviceFor } from '../commands/open-device.js';
import { prepareEvaluation } from '../evaluate/evaluation-setup.js';
import { loadQueue } from '../evaluate/load-queue.js';
import { readQueuedSetup } from '../evaluate/queued-setup.js';
import { radiusInFull } from '../show/quantities.js';
import { evaluationTable } from '../show/table.js';
import type { QueuedKind, WorkerContext } from './queued-kind.js';

/** Images of a dataset, evaluated as by `cert eval`. */
export const QUEUED_EVALUATION: QueuedKind<'evaluation'> = {
  open,
  items: 'images',
  about: ({ dataset, epsilon }) =>
    `${dataset}, epsilon ${typeof epsilon === 'number' ? radiusInFull(epsilon) : epsilon}`,
  async collect(terminal, { json, ...options }) {
    const { collectResults } = await loadQueue();
    const summary = await collectResults(options);
    if (json) return terminal.out(JSON.stringify(summary));
    const { out } = options;
    terminal.out(
      `${evaluationTable(summary, exampleWords(summary.settings.dataset), terminal)}\n\nResults: ${out}\nSummary: ${summaryFileOf(out)}`,
    );
  },
};

/** Prepares an evaluation of the queue, as `cert eval` would. @throws CertError if this machine would evaluate something else */
async function open(
  { settings, images, data, setup }: QueuedEvaluation,
  fetch: Fetch,
  { terminal, catalog, device: name }: WorkerContext,
): Promise<JobEvaluator> {
  const read = readQueuedSetup(setup, catalog);
  const checkpoint = await fetch(settings.checkpoint);
  const decoded = decodeCheckpoint(checkpoint, `checkpoint ${settings.checkpoint}`);
  const prepared = await prepareEvaluation(read, { bytes: checkpoint, decoded }, catalog);
  const { split } = prepared;
  if (split.count !== images || splitHash(split) !== data) {
    throw new CertError(
      'bad-data',
      `The dataset ${read.config.dataset} of this machine differs from that of the submission (${split.count} and ${images} test images).`,
      'Give all machines the same files, under the same path.',
    );
  }
  const difference = differingSetting(settings, evaluationSettings(prepared));
  if (difference !== undefined) {
    throw new CertError(
      'bad-data',
      `The evaluation in the queue contradicts itself: its names and numbers come to ${difference}.`,
      'Remove it with cert queue remove, and submit it again.',
    );
  }
  const device = await openDeviceFor(terminal, name ?? read.config.device);
  const evaluator = createEvaluator({ ...prepared, device });
  return {
    async evaluate(indices, signal) {
      const stageSeconds: { [stage: string]: number } = {};
      const onTime = (stage: string, seconds: number) => {
        stageSeconds[stage] = (stageSeconds[stage] ?? 0) + seconds;
      };
      const lines: StoredResult[] = [];
      for await (const line of evaluator.evaluate(indices, { signal, onTime })) lines.push(line);
      return { lines, device: device.name, deviceDescription: device.description, stageSeconds };
    },
    async dispose() {
      await evaluator.dispose();
      await device.dispose();
    },
  };
}
