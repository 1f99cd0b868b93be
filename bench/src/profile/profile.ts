import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSteps, type StepSettings } from '../run-steps.js';
import { sum } from '../statistics.js';
import { callSites } from './call-sites.js';
import { type NodeRun, readProfile, type SessionRun } from './events.js';

/** Time of a step that goes into one group of nodes. */
export interface Share {
  /** Nodes that run in a step. */
  readonly count: number;
  readonly ms: number;
  /** Of the time of all nodes. */
  readonly share: number;
  /** Only on a GPU. */
  readonly gpu?: GpuWork;
}

/** What a step starts on a GPU. */
interface GpuWork {
  /** Programs started. */
  readonly dispatches: number;
  /** What they read and write. */
  readonly movedMiB: number;
}

/** Where the time of a step goes, in means over the measured steps; the largest first. */
export interface Profile {
  readonly name: string;
  /** Measured steps; those before them are not counted. */
  readonly steps: number;
  /** A run of the session, with what lies between the nodes. Profiling itself makes it longer. */
  readonly runMs: number;
  /** The nodes of a run. */
  readonly nodesMs: number;
  /** Only on a GPU. */
  readonly gpu?: GpuWork;
  readonly ops: readonly (Share & { readonly op: string })[];
  /** Nodes of ONNX Runtime's own making have no site. */
  readonly nodes: readonly (Share & NodeRow)[];
  readonly sites: readonly (Share & { readonly site: string })[];
}

interface NodeRow extends Pick<NodeRun, 'node' | 'op' | 'inputs' | 'outputs'> {
  readonly site: string;
}

/** Runs a workload under ONNX Runtime's profiler, in a process of its own. */
export function profileWorkload(name: string, settings: StepSettings): Profile {
  const folder = mkdtempSync(join(tmpdir(), 'cert-bench-'));
  try {
    const prefix = join(folder, 'step');
    runSteps(name, settings, prefix);
    const file = readdirSync(folder).find((entry) => entry.endsWith('.json'));
    if (file === undefined) throw new Error(`ONNX Runtime wrote no profile of ${name}.`);
    const runs = readProfile(readFileSync(join(folder, file), 'utf8'));
    const expected = settings.warmup + settings.steps;
    // ONNX Runtime drops events beyond a million.
    if (runs.length !== expected)
      throw new Error(`The profile of ${name} has ${runs.length} of ${expected} steps; profile fewer.`);
    return summarize(name, runs.slice(settings.warmup), callSites(readFileSync(`${prefix}.onnx`)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Groups the nodes of runs by op, by node and by call site. */
export function summarize(
  name: string,
  runs: readonly SessionRun[],
  siteOf: (node: string) => string | undefined,
): Profile {
  const steps = runs.length;
  const all = runs.flatMap((run) => run.nodes);
  const { ms: nodesMs, ...whole } = perStep(all, steps);
  const site = ({ node }: NodeRun) => siteOf(node) ?? '';
  const group = <Row extends object>(key: (run: NodeRun) => string, row: (run: NodeRun) => Row): (Share & Row)[] => {
    const groups = new Map<string, NodeRun[]>();
    for (const run of all) {
      const known = groups.get(key(run));
      if (known === undefined) groups.set(key(run), [run]);
      else known.push(run);
    }
    return [...groups.values()]
      .map((members) => {
        const { ms, ...onGpu } = perStep(members, steps);
        return { ...row(members[0]!), count: members.length / steps, ms, share: ms / nodesMs, ...onGpu };
      })
      .sort((a, b) => b.ms - a.ms);
  };
  return {
    name,
    steps,
    runMs: sum(runs.map(({ ms }) => ms)) / steps,
    nodesMs,
    ...whole,
    ops: group(
      ({ op }) => op,
      ({ op }) => ({ op }),
    ),
    nodes: group(
      ({ node }) => node,
      (run) => ({ node: run.node, op: run.op, inputs: run.inputs, outputs: run.outputs, site: site(run) }),
    ),
    sites: group(site, (run) => ({ site: site(run) })),
  };
}

function perStep(runs: readonly NodeRun[], steps: number): { readonly ms: number; readonly gpu?: GpuWork } {
  const mean = (pick: (run: NodeRun) => number) => sum(runs.map(pick)) / steps;
  const gpu = { dispatches: mean((run) => run.dispatches), movedMiB: mean((run) => run.movedMiB) };
  return { ms: mean(({ ms }) => ms), ...(gpu.dispatches > 0 && { gpu }) };
}
