import { naturalPass, runningNorm } from '@cert/bounds';
import { sizeOf, type Tensor } from '@cert/core';
import type { Split } from '@cert/datasets';
import { type Device, disposeTree, putParams } from '@cert/jit';
import type { HostNetwork, Weights } from '@cert/verify';

/** Images in a batch. */
const BATCH = 64;

/** Options of {@link correctImages}. */
export interface CorrectImagesOptions {
  readonly device: Device;
  readonly network: HostNetwork;
  readonly split: Split;
  /** For a regression: the distance to its label from which a prediction is wrong; null for a classifier. */
  readonly delta: number | null;
  /** How many are wanted. */
  readonly count: number;
  readonly signal: AbortSignal;
  /** Called with the number of images that were classified. */
  readonly onProgress?: (images: number) => void;
}

/** The images of a split that were looked at until enough were found. */
export interface CorrectImages {
  /** The first ones whose label has the largest logit, by their index. */
  readonly indices: readonly number[];
  /** How many were classified, the wrong ones included. */
  readonly tried: number;
}

/** The first images that a network classifies correctly; a tie is an error. There may be fewer than asked for. */
export async function correctImages({
  device,
  network: { model, params, stats },
  split,
  delta,
  count,
  signal,
  onProgress,
}: CorrectImagesOptions): Promise<CorrectImages> {
  const weights = { params: putParams(device, params), stats: putParams(device, stats) };
  const pass = device.jit((own: Weights, x: Tensor) => ({
    logits: naturalPass({ model, params: own.params, norm: runningNorm(own.stats) }, x).output,
  }));
  const size = sizeOf(split.shape);
  const indices: number[] = [];
  let tried = 0;
  try {
    for (let start = 0; start < split.count && indices.length < count; start += BATCH) {
      signal.throwIfAborted();
      const images = Math.min(BATCH, split.count - start);
      const pixels = Float32Array.from(
        split.images.subarray(start * size, (start + images) * size),
        (value) => value * split.scale,
      );
      const x = device.put(pixels, [images, ...model.inputShape]);
      const out = await pass(weights, x);
      const logits = await out.logits.data();
      disposeTree([x, out]);
      onProgress?.(start + images);
      for (let i = 0; i < images && indices.length < count; i++) {
        tried = start + i + 1;
        const own = logits.subarray(i * model.classes, (i + 1) * model.classes);
        const right =
          delta === null
            ? isCorrect(own, split.labels[tried - 1]!)
            : Math.abs(own[0]! - split.targets![tried - 1]!) < delta;
        if (right) indices.push(tried - 1);
      }
    }
    return { indices, tried };
  } finally {
    disposeTree(weights);
    await pass.dispose();
  }
}

const isCorrect = (logits: ArrayLike<number>, label: number): boolean =>
  Array.from(logits).every((logit, j) => j === label || logits[label]! > logit);
