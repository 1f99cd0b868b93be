import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from '../config/run-config.js';

/** A path in `parent`, named after a run, at which there is nothing yet: `digits-quick-fast-seed0`, then `...-2`. Makes nothing. */
export const freeRunFolder = (
  parent: string,
  { preset, method, seed }: Pick<RunConfig, 'preset' | 'method' | 'seed'>,
): string => freePath(parent, `${preset.replaceAll('/', '-')}-${method}-seed${seed}`);

/** A path in `parent` at which there is nothing yet: the name, numbered when it is taken. */
export function freePath(parent: string, name: string): string {
  for (let i = 1; ; i++) {
    const path = join(parent, i === 1 ? name : `${name}-${i}`);
    if (!existsSync(path)) return path;
  }
}
