import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Returns the folder for downloaded files: `$XDG_CACHE_HOME/cert`, or `~/.cache/cert`.
 *
 * @param env environment variables; default those of the process
 */
export const defaultCacheFolder = (env: Readonly<Record<string, string | undefined>> = process.env): string =>
  join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cert');
