import { spawnSync } from 'node:child_process';
import { basename, extname } from 'node:path';
import { fromCaller } from './options.js';

/** One timed run of an implementation: milliseconds are of one step. */
export interface Timing {
  readonly medianMs: number;
  readonly minMs: number;
  /** Processor time, of all threads together; a peer may leave it out. */
  readonly cpuMs?: number;
  readonly peakMiB: number;
}

/** A script with arguments, and the Python that runs it. */
export interface Peer {
  /** The name of the script and its arguments. */
  readonly name: string;
  readonly python: string;
  /** Path and arguments of the script. */
  readonly command: readonly string[];
}

/**
 * Reads a peer's path and arguments, and finds a Python that can import what the script needs: the given one, or the first of the usual
 * names for which `--help` works.
 */
export function findPeer(text: string, python?: string): Peer | undefined {
  const [path = '', ...args] = text.trim().split(/\s+/);
  const script = fromCaller(path);
  const candidates = python === undefined ? ['python3', '/usr/bin/python3', 'python'] : [python];
  const found = candidates.find((name) => spawnSync(name, [script, '--help'], { stdio: 'ignore' }).status === 0);
  const name = [basename(path, extname(path)), ...args].join(' ');
  return found === undefined ? undefined : { name, python: found, command: [script, ...args] };
}

/** The exit status by which a script says that it does not know an argument. */
const USAGE = 2;

/** Runs a peer once on a workload and reads the line of JSON that it prints; undefined if the peer does not know the workload. */
export function timePeer(peer: Peer, args: readonly string[]): (Timing & { readonly version: string }) | undefined {
  const { stdout, stderr, status } = spawnSync(peer.python, [...peer.command, ...args], { encoding: 'utf8' });
  if (status === USAGE) {
    console.error(`${peer.name} does not know the workload: ${stderr.trim().split('\n').at(-1)}`);
    return undefined;
  }
  const line = stdout?.trim().split('\n').at(-1) ?? '';
  if (status !== 0 || !line.startsWith('{'))
    throw new Error(`${peer.python} ${[...peer.command, ...args].join(' ')} failed:\n${stderr}`);
  const out = JSON.parse(line) as {
    median_s: number;
    min_s: number;
    cpu_s?: number;
    peak_rss_mib: number;
    version?: string;
  };
  return {
    ...{ medianMs: out.median_s * 1000, minMs: out.min_s * 1000, peakMiB: out.peak_rss_mib },
    ...(out.cpu_s !== undefined && { cpuMs: out.cpu_s * 1000 }),
    version: out.version ?? 'unknown',
  };
}
