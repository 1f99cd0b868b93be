import { Argument, type Command } from 'commander';
import { SCRIPTS, type Shell } from '../complete.js';
import type { Terminal } from '../terminal.js';

/** Makes `cert completion`. */
export function addCompletion(command: Command, terminal: Terminal): void {
  command
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .action((shell: Shell) => terminal.out(SCRIPTS[shell]));
}
