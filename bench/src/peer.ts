import { spawnSync } from 'node:child_process';

/** One timed run of an implementation: seconds are of one step. */
export interface Timing {
  readonly medianMs: number;
  readonly minMs: number;
  readonly peakMiB: number;
}

/** A Python with PyTorch: the given one, or the first of the usual names that can import it. */
export function findTorch(python?: string): string | undefined {
  const candidates = python === undefined ? ['python3', '/usr/bin/python3', 'python'] : [python];
  return candidates.find((name) => spawnSync(name, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0);
}

/** Runs the peer's script once on a workload and reads the line of JSON that it prints. */
export function timePeer(
  python: string,
  script: string,
  args: readonly string[],
): Timing & { readonly version: string } {
  const { stdout, stderr, status } = spawnSync(python, [script, ...args], { encoding: 'utf8' });
  const line = stdout?.trim().split('\n').at(-1) ?? '';
  if (status !== 0 || !line.startsWith('{'))
    throw new Error(`${python} ${script} ${args.join(' ')} failed:\n${stderr}`);
  const out = JSON.parse(line) as { median_s: number; min_s: number; peak_rss_mib: number; torch: string };
  return { medianMs: out.median_s * 1000, minMs: out.min_s * 1000, peakMiB: out.peak_rss_mib, version: out.torch };
}
