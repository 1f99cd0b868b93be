import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from '../config/run-config.js';

/** Returns an unused path in `parent`, named after a run: `digits-quick-fast-seed0`, then `...-2`. Creates nothing. */
export const freeRunFolder = (
  parent: string,
  { preset, method, seed }: Pick<RunConfig, 'preset' | 'method' | 'seed'>,
): string => freePath(parent, `${preset.replaceAll('/', '-')}-${method}-seed${seed}`);

/** Returns an unused path in `parent`: the name, numbered if it exists. */
export function freePath(parent: string, name: string): string {
  for (let i = 1; ; i++) {
    const path = join(parent, i === 1 ? name : `${name}-${i}`);
    if (!existsSync(path)) return path;
  }
}
