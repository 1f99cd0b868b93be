import { createHash } from 'node:crypto';
import type { InstanceResult, QueuedInstances } from '../src/instances.js';
import { instanceAt } from '../src/instances.js';
import type { Fetch, JobEvaluator } from '../src/openers.js';
import { CHECKPOINT } from './evaluation.js';

const HASH = createHash('sha256').update(CHECKPOINT).digest('hex');

/** A list of so many instances of what stands for a network. */
export const instancesOf = (count: number, folder = 'lists'): QueuedInstances => ({
  settings: { arithmetic: 'deployed', device: 'tfjs' },
  ...{ version: '0', folder },
  instances: Array.from({ length: count }, (_, index) => ({
    ...{ index, onnx: 'net.onnx', vnnlib: `${index}.vnnlib`, timeout: 60, columns: {} },
    ...{ network: { sha256: [HASH] }, property: { sha256: [HASH] }, files: `${HASH} ${HASH}` },
  })),
});

/** The result of an instance. */
export function lineOf(work: QueuedInstances, index: number): InstanceResult['line'] {
  const { onnx, vnnlib, timeout, files } = instanceAt(work, index)!;
  const verdict =
    index % 3 === 0 ? { result: 'unsat', arithmetic: 'deployed' } : { result: 'sat', witness: `${index}` };
  return { onnx, vnnlib, timeout, asked: 'deployed', ...verdict, seconds: 1, files, version: work.version };
}

/** What a worker opens. */
export async function openInstances(work: QueuedInstances, fetch: Fetch): Promise<JobEvaluator> {
  await fetch(HASH);
  return {
    evaluate: async (items) => ({
      lines: items.map((index): InstanceResult => ({ index, line: lineOf(work, index) })),
      ...{ device: 'tfjs', deviceDescription: 'TensorFlow.js', stageSeconds: {} },
    }),
    dispose: async () => {},
  };
}
