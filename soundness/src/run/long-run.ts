import { CertError } from '@cert/core';
import { addCounts, type CheckedBounds, type Count, checkContains, noCount } from '../sampler/check-contains.js';

/** Where a long run stands. Plain data. */
export interface RunState {
  readonly seed: number;
  readonly pairsPerNetwork: number;
  /** The number of the next network. */
  readonly next: number;
  /** Pairs of a point and an execution that were evaluated. */
  readonly pairs: number;
  readonly seconds: number;
  /** One for each method. */
  readonly counts: readonly Count[];
}

/** What {@link sampleMany} takes. */
export interface LongRun {
  readonly methods: readonly CheckedBounds[];
  readonly seed: number;
  /** Pairs in all, those of the earlier state included. */
  readonly pairs: number;
  /** Default 2000. */
  readonly pairsPerNetwork?: number;
  /** Where to continue. */
  readonly state?: RunState | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Samples networks until there are as many pairs as asked for, and yields the state after every network. The counts of a run that was
 * interrupted and continued are those of one that was not.
 *
 * @throws CertError `bad-argument` for a state of other settings
 */
export async function* sampleMany(run: LongRun): AsyncGenerator<RunState> {
  const { methods, seed, pairs, pairsPerNetwork = 2000, signal } = run;
  const names = (list: readonly { readonly name: string; readonly level: string }[]) =>
    list.map(({ name, level }) => `${name} (${level})`).join(', ');
  let state = run.state ?? { seed, pairsPerNetwork, next: 0, pairs: 0, seconds: 0, counts: methods.map(noCount) };
  const [asked, found] = [
    `seed ${seed}, ${pairsPerNetwork} pairs for each network, ${names(methods)}`,
    `seed ${state.seed}, ${state.pairsPerNetwork} pairs for each network, ${names(state.counts)}`,
  ];
  if (asked !== found) {
    throw new CertError(
      'bad-argument',
      `The state is of ${found}; asked for is ${asked}.`,
      'Use the same settings, or start over.',
    );
  }
  while (state.pairs < pairs && !signal?.aborted) {
    const began = performance.now();
    const counts = await checkContains(methods, { seed, from: state.next, networks: 1, pairs: pairsPerNetwork });
    state = {
      ...{ seed, pairsPerNetwork },
      next: state.next + 1,
      pairs: state.pairs + pairsPerNetwork,
      seconds: state.seconds + (performance.now() - began) / 1000,
      counts: state.counts.map((count, m) => addCounts(count, counts[m]!)),
    };
    yield state;
  }
}
