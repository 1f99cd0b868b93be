import { CertError } from '@cert/core';
import { Command, CommanderError } from 'commander';
import { addDiagnose } from './commands/diagnose.js';
import { addDoctor } from './commands/doctor.js';
import { addEval } from './commands/eval.js';
import { addPlugin } from './commands/plugin.js';
import { addTrain } from './commands/train.js';
import type { Terminal } from './terminal.js';
import { ownVersion } from './version.js';

/** Exit status for a defect of the program rather than a mistake of its user (EX_SOFTWARE of sysexits.h). */
const DEFECT = 70;

/**
 * The commands with their options, as commander knows them.
 *
 * @param done gets the exit status of a command that ends neither well nor with an error
 */
export function createProgram(terminal: Terminal, signal: AbortSignal, done: (status: number) => void): Command {
  const program = new Command('cert')
    .description('Certified robust training: networks whose predictions provably hold in a ball around each image.')
    .version(ownVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    });
  addTrain(program, terminal, signal, done);
  addEval(program, terminal, signal);
  addDiagnose(program, terminal, signal);
  addDoctor(program, terminal);
  addPlugin(program, terminal);
  return program;
}

/**
 * The `cert` command.
 *
 * @param args what follows the command's name
 * @param signal aborted by Ctrl-C
 * @returns the exit status: 0, 1 for a user's mistake (problem and cure are printed, without a stack), 70 for a defect (with the
 * stack), 130 when it was stopped
 */
export async function main(args: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  let status = 0;
  const program = createProgram(terminal, signal, (value) => {
    status = value;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof CertError) {
      terminal.err(`error: ${error.problem}\n${error.cure}`);
      return 1;
    }
    if (signal.aborted && error === signal.reason) return 130;
    terminal.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return DEFECT;
  }
}
