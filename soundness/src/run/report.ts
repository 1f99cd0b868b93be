import type { Count } from '../sampler/check-contains.js';
import type { RunState } from './long-run.js';

const whole = (n: number): string => Math.round(n).toLocaleString('en-US');

/** Seconds as h:mm:ss. */
export function clock(seconds: number): string {
  const s = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** One line: how far a run is, how fast, and what it found. */
export function progressLine({ pairs, seconds, counts }: RunState, asked: number): string {
  const rate = pairs / seconds;
  const found = counts.map(({ name, level, violations }) => `${name} (${level}) ${whole(violations)}`).join(', ');
  const left = clock(Math.max(0, asked - pairs) / rate);
  return `${whole(pairs)} of ${whole(asked)} pairs, ${whole(rate)} pairs/s, ${left} left; violations: ${found}`;
}

/** A table of all methods, and the first violations of each. */
export function summary({ pairs, seconds, next, counts }: RunState): string {
  const rows = counts.map(({ name, level, pairs: seen, violations, worst }) => [
    ...[name, level, whole(seen), whole(violations)],
    violations === 0 ? '0' : worst.toExponential(1),
  ]);
  const table = [['method', 'level', 'pairs', 'violations', 'largest, relative'], ...rows];
  const widths = table[0]!.map((_, c) => Math.max(...table.map((row) => row[c]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, c) => cell.padEnd(widths[c]!))
      .join('  ')
      .trimEnd(),
  );
  const total = `${whole(pairs)} pairs of a point and an execution, ${whole(next)} networks, ${clock(seconds)}, ${whole(pairs / seconds)} pairs/s`;
  return [total, ...lines, ...counts.flatMap(examplesOf)].join('\n');
}

const examplesOf = ({ name, level, examples }: Count): string[] =>
  examples.slice(0, 1).map(({ seed, index, element, value, lower, upper, execution, point }) => {
    const where = `drawProblem(${seed}, ${index}), logit or margin ${element}`;
    return `${name} (${level}): ${value} is outside of [${lower}, ${upper}]: ${where}, ${JSON.stringify({ point, execution })}`;
  });
