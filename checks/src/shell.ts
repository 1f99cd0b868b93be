/** Runs blocks of shell commands, with `cert` as it is built in place of an installed one. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { root } from './markdown.js';

const manifest = (path: string) => JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));

/** The packages that commands may install: ours, and those that ours need or can use. */
export const installable: readonly string[] = [
  ...new Set(
    [
      'check',
      'core',
      'bounds',
      'init',
      'regularizers',
      'models',
      'interchange',
      'datasets',
      'jit',
      'verify',
      'trainer',
      'queue',
      'cli',
      'testing',
    ].flatMap((name) => {
      const { name: own, dependencies, peerDependencies } = manifest(join('packages', name));
      return [own, ...Object.keys({ ...dependencies, ...peerDependencies })];
    }),
  ),
];

/** The scripts of the root. */
export const scripts: readonly string[] = Object.keys(manifest('.').scripts);

/** What came of a block. */
export interface ShellOutcome {
  readonly status: number | null;
  /** What it printed, errors included. */
  readonly output: string;
  /** The commands that were not run but noted, each as its words. */
  readonly noted: readonly (readonly string[])[];
}

/** Notes its name and arguments, words apart by a unit separator, on file descriptor 3. */
const note = (name: string) => `${name}() { printf '${name}' >&3; printf '\\037%s' "$@" >&3; printf '\\n' >&3; }`;

const program = (folder: string) => join(root, 'packages', folder, 'dist', 'cli.js');

/** npm is noted, never run; `npx cert` and `npx @cert/check` run. */
const RUNS = `${note('npm')}
npx() {
  case "$1" in
    cert)
      shift
      # In the background a signal reaches the command, as npx hands it on.
      [ "$BASHPID" = "$$" ] || npm_command=exec exec node ${program('cli')} "$@"
      npm_command=exec node ${program('cli')} "$@" ;;
    @cert/check) shift; node ${program('check')} "$@" ;;
    *) echo "npx $1 is not known here"; return 1 ;;
  esac
}`;

/** All is noted, and nothing run. */
const NOTES = ['npm', 'npx', 'cd'].map(note).join('\n');

/** Runs a block in a folder with the shell of the machine. It ends at the first command that fails. */
export const runCommands = (code: string, cwd: string): Promise<ShellOutcome> => shell(`${RUNS}\n${code}`, cwd);

/** Whether blocks can be run in a terminal: by the `script` of util-linux. */
export const hasTerminal = spawnSync('script', ['--version']).status === 0;

/** Whether there is a Redis server to start. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

/** Sends a command to the server that documents start; false where none answers. */
export const redis = (...command: readonly string[]): boolean =>
  spawnSync('redis-cli', ['-p', '6390', ...command]).status === 0;

/** A line that changed in place, up to where it was cleared for the last time. */
const CLEARED = new RegExp(`[^\\n]*\\r${String.fromCharCode(0x1b)}\\[K`, 'g');

/**
 * Runs a block as a person does, in a terminal of 80 columns; needs the `script` of util-linux. What lines that changed in place showed before
 * their last state is left out.
 *
 * @param options.stopped press Ctrl-C as soon as an epoch has ended
 */
export async function runInTerminal(
  code: string,
  cwd: string,
  { stopped }: { readonly stopped: boolean },
): Promise<ShellOutcome> {
  const inner = `stty cols 80 rows 24; exec bash -e -c ${quoted(`${RUNS}\n${code}`)}`;
  const { output, ...outcome } = await start('script', ['-qec', inner, '/dev/null'], cwd, {
    ...(stopped && { stopAt: /^epoch 1\/\d+ {2}loss /m }),
  });
  const left = stripVTControlCharacters(output.replaceAll(CLEARED, '')).split(/\r*\n/);
  return { ...outcome, output: left.map((line) => line.split('\r').at(-1)).join('\n') };
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The commands of a block as the shell takes them apart. */
export const readCommands = (code: string, cwd: string): Promise<ShellOutcome> => shell(`${NOTES}\n${code}`, cwd);

const shell = (code: string, cwd: string): Promise<ShellOutcome> => start('bash', ['-e', '-c', code], cwd);

/** @param options.stopAt press Ctrl-C, in a terminal, when the output has this */
function start(
  command: string,
  args: readonly string[],
  cwd: string,
  { stopAt }: { readonly stopAt?: RegExp } = {},
): Promise<ShellOutcome> {
  const { FORCE_COLOR: _, ...env } = process.env;
  const child = spawn(command, args, {
    cwd,
    env: { ...env, NO_COLOR: '1' },
    stdio: [stopAt === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  let waiting = stopAt;
  const read = (stream: NodeJS.ReadableStream, take: (text: string) => void) =>
    stream.setEncoding('utf8').on('data', take);
  let [output, lines] = ['', ''];
  read(child.stdout!, (text) => {
    output += text;
    if (waiting?.test(stripVTControlCharacters(output))) {
      waiting = undefined;
      child.stdin?.write('\u0003');
    }
  });
  read(child.stderr!, (text) => {
    output += text;
  });
  read(child.stdio[3] as NodeJS.ReadableStream, (text) => {
    lines += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      const noted = lines.split('\n').filter(Boolean);
      resolve({ status, output, noted: noted.map((line) => line.split('\x1f')) });
    });
  });
}
