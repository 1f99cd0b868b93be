import { findWorkload } from './find-workload.js';
import type { Options } from './options.js';
import { findPeer, type Peer, type Timing, timePeer } from './peer.js';
import { runSteps } from './run-steps.js';
import { median, sum } from './statistics.js';

/** What is told of an implementation: medians over its runs, minima over all its steps. */
interface Overall extends Timing {
  readonly imagesPerSecond: number;
}

/** The timing of a peer, and how many times as fast our steps are. */
interface PeerResult extends Overall {
  readonly name: string;
  readonly version: string;
  readonly speedOverPeer: { readonly byMedian: number; readonly byMinimum: number };
}

/** The timing of one workload, beside that of the peers that know it. */
export interface Comparison extends Overall {
  readonly name: string;
  readonly batch: number;
  /** Of the time of steps and waiting together, the share that went into waiting for minibatches. */
  readonly waitShare: number;
  readonly compileMs: number;
  readonly traces: number;
  readonly device: string;
  readonly peers: readonly PeerResult[];
}

const overall = (runs: readonly Timing[], batch: number): Overall => {
  const medianMs = median(runs.map((run) => run.medianMs));
  const cpu = runs.flatMap(({ cpuMs }) => cpuMs ?? []);
  return {
    medianMs,
    minMs: Math.min(...runs.map((run) => run.minMs)),
    ...(cpu.length > 0 && { cpuMs: median(cpu) }),
    peakMiB: Math.max(...runs.map((run) => run.peakMiB)),
    imagesPerSecond: (batch * 1000) / medianMs,
  };
};

function timeOurs(name: string, options: Options) {
  const { times, waits, cpuTimes, compileMs, peakMiB, traces, device } = runSteps(name, options);
  const medianMs = median(times);
  const waitShare = sum(waits) / (sum(times) + sum(waits));
  return {
    medianMs,
    minMs: Math.min(...times),
    cpuMs: median(cpuTimes),
    peakMiB,
    waitShare,
    compileMs,
    traces,
    device,
  };
}

/** The peers that a Python on this machine can run. */
function findPeers({ peer, python }: Options): Peer[] {
  return peer.flatMap((text) => {
    const found = findPeer(text, python);
    if (found === undefined)
      console.error(`No Python that can run ${text} was found: the peer is left out (name one with --python).`);
    return found ?? [];
  });
}

/** Times workloads, in turns with the peers. */
export function compare(names: readonly string[], options: Options): Comparison[] {
  const found = findPeers(options);
  return names.map((name) => {
    const { batch, peer: peerArgs } = findWorkload(name)!;
    const timing = ['--steps', options.steps, '--warmup', options.warmup, '--threads', options.threads].map(String);
    const ours: ReturnType<typeof timeOurs>[] = [];
    const runs = new Map(found.map((peer) => [peer, [] as (Timing & { readonly version: string })[]]));
    for (let round = 0; round < options.rounds; round++) {
      console.error(`${name}: round ${round + 1} of ${options.rounds}`);
      ours.push(timeOurs(name, options));
      if (peerArgs === undefined) continue;
      for (const [peer, list] of runs) {
        const run = timePeer(peer, [...peerArgs, ...timing]);
        if (run === undefined) runs.delete(peer);
        else list.push(run);
      }
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
    const peers = [...runs].flatMap(([peer, list]): PeerResult[] => {
      if (list.length === 0) return [];
      const other = overall(list, batch);
      const speedOverPeer = { byMedian: other.medianMs / result.medianMs, byMinimum: other.minMs / result.minMs };
      return [{ name: peer.name, version: list[0]!.version, ...other, speedOverPeer }];
    });
    return { ...result, peers };
  });
}

/** One row a workload, with a block of columns for each peer. */
export function printComparison(results: readonly Comparison[]): void {
  console.table(
    results.map((r) => ({
      workload: r.name,
      'ms/step': r.medianMs.toFixed(1),
      'min ms': r.minMs.toFixed(1),
      'CPU ms': r.cpuMs?.toFixed(1),
      'images/s': r.imagesPerSecond.toFixed(0),
      'waited %': (100 * r.waitShare).toFixed(2),
      'peak MiB': r.peakMiB.toFixed(0),
      'compile ms': r.compileMs.toFixed(0),
      ...Object.fromEntries(
        r.peers.flatMap(({ name, medianMs, minMs, cpuMs, peakMiB, speedOverPeer: { byMedian, byMinimum } }) => [
          [`${name}: ms/step`, medianMs.toFixed(1)],
          [`${name}: min ms`, minMs.toFixed(1)],
          [`${name}: CPU ms`, cpuMs?.toFixed(1)],
          [`${name}: MiB`, peakMiB.toFixed(0)],
          [`speed over ${name}`, `${byMedian.toFixed(2)} (min ${byMinimum.toFixed(2)})`],
        ]),
      ),
    })),
  );
}
