import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from './config.js';

/** A path in `parent`, named after a run, at which there is nothing yet. */
export function newFolder(
  parent: string,
  { preset, method, seed }: Pick<RunConfig, 'preset' | 'method' | 'seed'>,
): string {
  const base = `${preset.replaceAll('/', '-')}-${method}-seed${seed}`;
  for (let i = 1; ; i++) {
    const folder = join(parent, i === 1 ? base : `${base}-${i}`);
    if (!existsSync(folder)) return folder;
  }
}
