import { naturalPass, type RuleTable } from '@cert/bounds';
import {
  buildParams,
  CertError,
  type HostBatch,
  type HostParams,
  type Model,
  type Params,
  statSpecs,
  type Tensor,
} from '@cert/core';
import { type Device, disposeTree, type OnDevice, turn } from '@cert/jit';

/** Options of {@link createPopulationStats}. */
export interface PopulationStatsOptions {
  /** The compute device. */
  readonly device: Device;
  /** The graph. */
  readonly model: Model;
  /** The plain forward pass; default: the rules of the built-in ops. */
  readonly natural?: RuleTable<Tensor>;
}

/** Computes population statistics of networks of one model; compiled once, for any number of calls. */
export interface PopulationStats {
  /**
   * Returns the population statistics of every BatchNorm, in the form of running statistics. `mean` is the average of the batch means
   * weighted by batch size, `variance` is the biased one: the weighted average of E[x^2] of the batches minus `mean`^2. All layers are
   * measured in one pass with batch statistics, so the inputs of a layer are those of training.
   *
   * @param params on the device; the caller keeps ownership
   * @param batches every image once, in batches of the size and mixture of training. Batches of one class each, as in a sorted dataset, give
   * deep layers inputs that they never see again
   * @param signal if aborted, the current batch is finished and the call rejects with the reason of the signal
   * @returns no nodes for a model without BatchNorm, whose batches are not read
   * @throws CertError `bad-data` without images, `not-finite` naming the BatchNorm if its statistics are NaN or infinite, `shape-mismatch`
   * for images of another size
   */
  measure(
    params: OnDevice<Params>,
    batches: Iterable<HostBatch> | AsyncIterable<HostBatch>,
    signal?: AbortSignal,
  ): Promise<HostParams>;
  /** Frees the compiled function. */
  dispose(): Promise<void>;
}

/** Mean and sum of squared deviations of one channel over the images so far, in float64. */
interface Sums {
  readonly mean: Float64Array;
  readonly squares: Float64Array;
}

/**
 * Creates a computation of population statistics ("precise BatchNorm", Wu and Johnson 2021, section 3) on one device; the caller disposes it.
 * Nothing is compiled before the first batch. Batches of one size share a trace.
 */
export function createPopulationStats({ device, model, natural }: PopulationStatsOptions): PopulationStats {
  const specs = statSpecs(model);
  const moments = device.jit(
    (params: Params, images: Tensor) => naturalPass({ model, params, norm: 'batch' }, images, natural).norm,
  );
  return {
    async measure(params, batches, signal) {
      if (specs.length === 0) return {};
      const sums = new Map<string, Sums>();
      let count = 0;
      for await (const { images, labels } of batches) {
        const input = device.put(images, [labels.length, ...model.inputShape]);
        try {
          const norm = await moments(params, input);
          for (const [node, { mean, variance }] of Object.entries(norm)) {
            const channels = mean.shape[0]!;
            const before = sums.get(node) ?? { mean: new Float64Array(channels), squares: new Float64Array(channels) };
            sums.set(node, before);
            addBatch(before, count, labels.length, await mean.data(), await variance.data());
          }
          disposeTree(norm);
        } finally {
          input.dispose();
        }
        count += labels.length;
        await turn();
        signal?.throwIfAborted();
      }
      if (count === 0) {
        throw new CertError(
          'bad-data',
          'There are no images to compute population statistics from.',
          'Give the batches of the training images.',
        );
      }
      return buildParams(specs, ({ node, name, shape }) => {
        const { mean, squares } = sums.get(node)!;
        const data = Float32Array.from(name === 'mean' ? mean : squares.map((sum) => sum / count));
        if (data.every(Number.isFinite)) return { shape, data };
        throw new CertError(
          'not-finite',
          `The population ${name} of the BatchNorm "${node}" is not finite.`,
          'Lower the learning rate or the radius, or lengthen the ramp.',
        );
      });
    },
    dispose: () => moments.dispose(),
  };
}

/** Joins a batch of `size` images to the `count` before it (Chan, Golub and LeVeque 1983): E[x^2] - E[x]^2 would cancel. */
function addBatch(
  { mean, squares }: Sums,
  count: number,
  size: number,
  batchMean: ArrayLike<number>,
  batchVariance: ArrayLike<number>,
): void {
  const total = count + size;
  mean.forEach((before, i) => {
    const difference = batchMean[i]! - before;
    mean[i] = before + (difference * size) / total;
    squares[i] = squares[i]! + size * batchVariance[i]! + (difference * difference * count * size) / total;
  });
}
