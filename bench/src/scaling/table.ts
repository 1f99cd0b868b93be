import type { Measurement } from './measure.js';

const COLUMNS: readonly (readonly [heading: string, cell: (m: Measurement) => string])[] = [
  ['point', (m) => `\`${m.name}\``],
  ['ms/step', (m) => m.medianMs.toFixed(1)],
  ['min ms', (m) => m.minMs.toFixed(1)],
  ['CPU ms', (m) => m.cpuMs.toFixed(1)],
  ['GFLOP', (m) => m.gflop.toFixed(2)],
  ['ms/GFLOP', (m) => m.msPerGflop.toFixed(1)],
  ['peak MiB', (m) => m.peakMiB.toFixed(0)],
  ['activations MiB', (m) => m.activationMiB.toFixed(1)],
  ['parameters MiB', (m) => m.parameterMiB.toFixed(1)],
  ['peak / both', (m) => m.memoryRatio.toFixed(1)],
  ['compile ms', (m) => m.compileMs.toFixed(0)],
  ['trace ms', (m) => m.traceMs.toFixed(0)],
  ['nodes', (m) => String(m.nodes)],
];

/** The measurements as a Markdown table, a row a point. */
export function scalingTable(measurements: readonly Measurement[]): string {
  const rows = [COLUMNS.map(([heading]) => heading), ...measurements.map((m) => COLUMNS.map(([, cell]) => cell(m)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const [head, ...body] = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`);
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
}
