import type { Profile, Share } from './profile.js';

const numbers = ({ ms, share, gpu }: Share) => ({
  'ms/step': ms.toFixed(2),
  '%': (100 * share).toFixed(1),
  ...(gpu && { dispatches: gpu.dispatches, MiB: gpu.movedMiB.toFixed(1) }),
});

/** The tables of a profile: by op whole, by node and by call site the first `top` rows. */
export function printProfile(profile: Profile, top: number): void {
  const { name, steps, runMs, nodesMs, gpu, ops, nodes, sites } = profile;
  const count = nodes.length;
  console.log(`${name}: ${runMs.toFixed(1)} ms a step under the profiler, means over ${steps} steps;`);
  console.log(
    `${count} nodes take ${nodesMs.toFixed(1)} ms, what lies between them ${(runMs - nodesMs).toFixed(1)} ms.`,
  );
  if (gpu) console.log(`${gpu.dispatches} dispatches to the GPU read and write ${gpu.movedMiB.toFixed(0)} MiB.`);
  console.log('\nBy op:');
  console.table(ops.map((row) => ({ op: row.op, nodes: row.count, ...numbers(row) })));
  console.log(`By node, ${Math.min(top, count)} of ${count}:`);
  console.table(
    nodes.slice(0, top).map((row) => ({
      node: row.node,
      op: row.op,
      ...numbers(row),
      inputs: row.inputs.join(' '),
      output: row.outputs.join(' '),
      'call site': row.site,
    })),
  );
  console.log(`By call site, ${Math.min(top, sites.length)} of ${sites.length}:`);
  console.table(
    sites.slice(0, top).map((row) => ({ 'call site': row.site || '(unknown)', nodes: row.count, ...numbers(row) })),
  );
}
