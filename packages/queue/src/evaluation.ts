import { CertError } from '@cert/core';
import { type EvaluationSettings, hashOrder, isResultOf } from '@cert/verify/node';
import type { Kind } from './kind.js';

/** An evaluation as a queue knows it: references alone, no code and no weights. Plain data. */
export interface QueuedEvaluation {
  /** Settings that determine the results. `checkpoint` is the SHA-256 of the network's file. */
  readonly settings: EvaluationSettings;
  /** Number of images. */
  readonly images: number;
  /** Hash of the images and labels: `splitHash` of `@cert/verify/node`. */
  readonly data: string;
  /** What a worker looks up to evaluate: names and options. Plain JSON, which the worker checks before it uses it. */
  readonly setup: { readonly [name: string]: unknown };
}

/** The images of a dataset, in the order of the hash in which shards are dealt out. */
export const EVALUATION: Kind<QueuedEvaluation> = {
  items: 'images',
  read(value) {
    if (isEvaluation(value)) return value;
    throw new CertError(
      'bad-data',
      'The evaluation in the queue is not one that cert queue submit writes.',
      'Remove it with cert queue remove, and submit it again.',
    );
  },
  count: ({ images }) => images,
  order: hashOrder,
  cut: (evaluation) => evaluation,
  itemOf: (line, { settings }) => (isResultOf(line, settings) ? line.index : undefined),
  settings: ({ settings }) => ({ ...settings }),
};

/** The settings and the setup are checked by what uses them. */
function isEvaluation(value: unknown): value is QueuedEvaluation {
  const isRecord = (one: unknown): one is { readonly [name: string]: unknown } =>
    typeof one === 'object' && one !== null && !Array.isArray(one);
  if (!isRecord(value)) return false;
  const { settings, images, data, setup } = value;
  return (
    isRecord(settings) &&
    isRecord(setup) &&
    Array.isArray(settings.methods) &&
    typeof settings.checkpoint === 'string' &&
    typeof data === 'string' &&
    Number.isSafeInteger(images) &&
    Number(images) >= 1
  );
}
