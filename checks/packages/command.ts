import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The root of this repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Without what the npm that runs the tests tells its scripts, and without colors, which continuous integration asks for. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(?!config_(registry|cache|userconfig)$)|FORCE_COLOR$)/.test(name),
    ),
  ),
  NO_COLOR: '1',
};

/** Runs a command to its end, as in a terminal of its own. A failure has `stdout` and `stderr`, and both in its message. */
export const run = (cwd: string, command: string, ...args: string[]) =>
  promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 26 }).catch((error) => {
    error.message = [`In ${cwd}: ${command} ${args.join(' ')}`, error.stdout, error.stderr].join('\n');
    throw error;
  });
