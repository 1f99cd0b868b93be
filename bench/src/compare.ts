import { findWorkload } from './find-workload.js';
import { fromCaller, type Options } from './options.js';
import { findTorch, type Timing, timePeer } from './peer.js';
import { runSteps } from './run-steps.js';
import { median, sum } from './statistics.js';

/** What is told of an implementation: medians over its runs, minima over all its steps. */
interface Overall extends Timing {
  readonly imagesPerSecond: number;
}

/** The timing of one workload, beside the peer's where there is one. */
export interface Comparison extends Overall {
  readonly name: string;
  readonly batch: number;
  /** Of the time of steps and waiting together, the share that went into waiting for minibatches. */
  readonly waitShare: number;
  readonly compileMs: number;
  readonly traces: number;
  readonly device: string;
  readonly peer?: Overall & { readonly version: string };
  readonly speedOverPeer?: { readonly byMedian: number; readonly byMinimum: number };
}

const overall = (runs: readonly Timing[], batch: number): Overall => {
  const medianMs = median(runs.map((run) => run.medianMs));
  return {
    medianMs,
    minMs: Math.min(...runs.map((run) => run.minMs)),
    peakMiB: Math.max(...runs.map((run) => run.peakMiB)),
    imagesPerSecond: (batch * 1000) / medianMs,
  };
};

function timeOurs(name: string, options: Options) {
  const { times, waits, compileMs, peakMiB, traces, device } = runSteps(name, options);
  const medianMs = median(times);
  const waitShare = sum(waits) / (sum(times) + sum(waits));
  return { medianMs, minMs: Math.min(...times), peakMiB, waitShare, compileMs, traces, device };
}

/** Times workloads, in turns with the peer. */
export function compare(names: readonly string[], options: Options): Comparison[] {
  const python = options.peer === undefined ? undefined : findTorch(options.python);
  if (options.peer !== undefined && python === undefined) {
    console.error('No Python that can import torch was found: the peer is left out (name one with --python).');
  }
  const script = fromCaller(options.peer ?? '');

  return names.map((name) => {
    const { batch, peer: peerArgs } = findWorkload(name)!;
    const ours: ReturnType<typeof timeOurs>[] = [];
    const peers: ReturnType<typeof timePeer>[] = [];
    for (let round = 0; round < options.rounds; round++) {
      console.error(`${name}: round ${round + 1} of ${options.rounds}`);
      ours.push(timeOurs(name, options));
      if (python === undefined || peerArgs === undefined) continue;
      const timing = ['--steps', options.steps, '--warmup', options.warmup, '--threads', options.threads].map(String);
      peers.push(timePeer(python, script, [...peerArgs, ...timing]));
    }
    const result = {
      name,
      batch,
      ...overall(ours, batch),
      waitShare: median(ours.map((run) => run.waitShare)),
      compileMs: median(ours.map((run) => run.compileMs)),
      traces: ours[0]!.traces,
      device: ours[0]!.device,
    };
    if (peers.length === 0) return result;
    const other = overall(peers, batch);
    const speed = { byMedian: other.medianMs / result.medianMs, byMinimum: other.minMs / result.minMs };
    return { ...result, peer: { ...other, version: peers[0]!.version }, speedOverPeer: speed };
  });
}

/** One row a workload. */
export function printComparison(results: readonly Comparison[]): void {
  console.table(
    results.map((r) => ({
      workload: r.name,
      'ms/step': r.medianMs.toFixed(1),
      'min ms': r.minMs.toFixed(1),
      'images/s': r.imagesPerSecond.toFixed(0),
      'waited %': (100 * r.waitShare).toFixed(2),
      'peak MiB': r.peakMiB.toFixed(0),
      'compile ms': r.compileMs.toFixed(0),
      ...(r.peer &&
        r.speedOverPeer && {
          'peer ms/step': r.peer.medianMs.toFixed(1),
          'peer min ms': r.peer.minMs.toFixed(1),
          'peer MiB': r.peer.peakMiB.toFixed(0),
          'speed over peer': `${r.speedOverPeer.byMedian.toFixed(2)} (min ${r.speedOverPeer.byMinimum.toFixed(2)})`,
        }),
    })),
  );
}
