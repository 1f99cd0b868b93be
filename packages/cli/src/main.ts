import type { CertError } from '@cert/core';
import { Command, CommanderError, Option } from 'commander';
import { calledAs } from './called-as.js';
import { COMMANDS } from './commands/commands.js';
import { completions } from './complete.js';
import { STOPPED } from './signals.js';
import type { Terminal } from './terminal.js';
import { ownVersion } from './version.js';

/** Exit status for a defect of the program rather than a mistake of its user (EX_SOFTWARE of sysexits.h). */
const DEFECT = 70;

/** What {@link createProgram} and {@link main} may be told. */
export interface ProgramOptions {
  /** The commands to load; the others have a name and a description alone. Default all. */
  readonly only?: readonly string[];
  /** Called before commands are loaded. */
  readonly prepare?: () => Promise<void>;
  /** The command line: plug-ins that it names bring options of their own. */
  readonly args?: readonly string[];
}

/**
 * The commands with their options, as commander knows them.
 *
 * @param done gets the exit status of a command that ends neither well nor with an error
 */
export async function createProgram(
  terminal: Terminal,
  signal: AbortSignal,
  done: (status: number) => void,
  { only = Object.keys(COMMANDS), prepare, args = [] }: ProgramOptions = {},
): Promise<Command> {
  const program = new Command('cert')
    .addOption(new Option('--no-color', 'print without colors; NO_COLOR=1 in the environment does the same'))
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ showGlobalOptions: true })
    .description(
      'Certified robust training: train networks and prove that no perturbation up to a given size changes a prediction.',
    )
    .version(ownVersion(), '-V, --version', 'print the version')
    .showHelpAfterError(`For all commands: ${calledAs()} --help`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    });
  program.hook('preAction', (_, command) => refuseEmpty(command));
  if (Object.keys(COMMANDS).some((name) => only.includes(name))) await prepare?.();
  for (const [name, { description, load }] of Object.entries(COMMANDS)) {
    const usage = (words: string) => `For arguments and options: ${calledAs()} ${words} --help`;
    const command = program.command(name).description(description).showHelpAfterError(usage(name));
    if (only.includes(name)) await (await load())(command, terminal, signal, done, args);
    for (const part of command.commands) part.showHelpAfterError(usage(`${name} ${part.name()}`));
  }
  return program;
}

/**
 * The `cert` command.
 *
 * @param all what follows the command's name
 * @param signal aborted by Ctrl-C, or another signal that asks for an end
 * @param prepare called before anything is loaded that computes
 * @returns the exit status: 0, 1 for a user's mistake (problem and cure are printed, without a stack), 70 for a defect (with the
 * stack), 130 when it was stopped
 */
export async function main(
  all: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  prepare?: () => Promise<void>,
): Promise<number> {
  let status = 0;
  try {
    // Known everywhere, and by commander at the head alone.
    const args = all.filter((arg) => arg !== '--no-color');
    if (args.length < all.length) withoutColors();
    if (args[0] === 'complete') return await complete(args.slice(args[1] === '--' ? 2 : 1), terminal, signal);
    // The command is the first word; behind `help` the second one.
    const only = args.filter((arg) => !arg.startsWith('-')).slice(0, 2);
    const done = (value: number) => {
      status = value;
    };
    const options = { only: only[0] === 'help' ? only : only.slice(0, 1), args, ...(prepare && { prepare }) };
    const program = await createProgram(terminal, signal, done, options);
    await program.parseAsync(meant(program, args), { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (isCertError(error)) {
      terminal.err(`error: ${error.problem}\n${error.cure}`);
      return 1;
    }
    if (signal.aborted && error === signal.reason) return STOPPED;
    terminal.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return DEFECT;
  }
}

/** An empty text names nothing; a variable of the shell that is not set becomes one. @throws CertError `bad-argument` */
async function refuseEmpty(command: Command): Promise<void> {
  const options = command.options.map((option) => [option.long ?? '', command.getOptionValue(option.attributeName())]);
  const words = command.registeredArguments.map((each, i) => [
    `The argument "${each.name()}"`,
    command.processedArgs[i],
  ]);
  const empty = [...options, ...words].find(([, value]) => [value].flat().includes(''));
  if (empty === undefined) return;
  // What is to be run has loaded it.
  const { CertError } = await import('@cert/core');
  throw new CertError('bad-argument', `${empty[0]} is empty.`, 'Give a value, or leave it out.');
}

/**
 * A command line without the ways to ask for help that commander answers with the wrong text: `help diagnose init` becomes
 * `diagnose init --help`, and a line with an unknown command ends there, so that the word is reported and not the help of the command above.
 */
function meant(program: Command, args: readonly string[]): readonly string[] {
  const words = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  let command = program;
  for (const [i, word] of words.entries()) {
    if (word.startsWith('-') || word === 'help' || command.commands.length === 0) break;
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) return words.slice(0, i + 1);
    command = next;
  }
  return words;
}

function withoutColors(): void {
  process.env.NO_COLOR = '1';
  // It wins over NO_COLOR, and Node.js warns of both.
  delete process.env.FORCE_COLOR;
}

/** What the script of `cert completion` calls. It is no command of people, and has no help. */
async function complete(words: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const only = words.slice(0, -1).filter((word) => !word.startsWith('-'));
  const program = await createProgram(terminal, signal, () => {}, { only: only.slice(0, 1), args: words });
  const lines = completions(program, words);
  if (lines.length > 0) terminal.out(lines.join('\n'));
  return 0;
}

/** By its name: the class itself comes with TensorFlow.js. */
const isCertError = (error: unknown): error is CertError => error instanceof Error && error.name === 'CertError';
