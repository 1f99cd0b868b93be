import type { HostBatch, Params, Stats } from '@cert/core';
import { disposeTree, type OnDevice, putParams } from '@cert/jit';
import type { Weights } from '@cert/verify';
import { createPopulationStats, type PopulationStatsOptions } from '../../population-stats.js';
import type { TrainState } from '../../step.js';

/** Chooses the network of a training state that is evaluated and saved. */
export interface EvaluatedNetwork {
  /**
   * The network of a state: the average if there is one, with population statistics, because running statistics belong to the trained weights;
   * else the trained weights, with population statistics where they are asked for. It is the state itself if nothing differs from it, and valid
   * until the next call.
   *
   * @param signal if aborted, the call rejects with the reason of the signal
   */
  of(state: OnDevice<TrainState>, signal: AbortSignal | undefined): Promise<OnDevice<Weights>>;
  /** Frees the compiled function and the statistics. */
  dispose(): Promise<void>;
}

/** Creates an {@link EvaluatedNetwork}. */
export function createEvaluatedNetwork({
  precise,
  batches,
  ...options
}: PopulationStatsOptions & {
  /** Whether the trained weights get population statistics. */
  readonly precise: boolean;
  /** The images that they are computed from. */
  batches(): Iterable<HostBatch>;
}): EvaluatedNetwork {
  const population = createPopulationStats(options);
  let stats: OnDevice<Stats> = {};
  return {
    async of(state, signal) {
      if (state.average === undefined && !precise) return state;
      const params: OnDevice<Params> = state.average ?? state.params;
      const measured = await population.measure(params, batches(), signal);
      disposeTree(stats);
      stats = putParams(options.device, measured);
      return { params, stats };
    },
    async dispose() {
      disposeTree(stats);
      await population.dispose();
    },
  };
}
