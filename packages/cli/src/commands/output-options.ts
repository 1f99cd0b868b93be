import { type Command, Option } from 'commander';
import type { Terminal } from '../terminal.js';
import { GROUPS } from './groups.js';

/** What a person wants to see of a command that takes long. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/**
 * Adds `--json`, `--quiet` and `--help`, which stand together at the end of the help.
 *
 * @param result what `--json` prints as one line
 */
export const addOutputOptions = (command: Command, result: string): Command =>
  command
    .addOption(
      new Option('--json', `print ${result} as one line of JSON on stdout (default: text)`).helpGroup(GROUPS.output),
    )
    .addOption(
      new Option('-q, --quiet', 'print results and errors only (default: progress too)').helpGroup(GROUPS.output),
    )
    .addHelpOption(new Option('-h, --help', 'print this help').helpGroup(GROUPS.output));

/** Tells people something beside the results: nothing with `--quiet`. */
export const noting =
  ({ err }: Terminal, { quiet = false }: OutputOptions) =>
  (text: string): void => {
    if (!quiet) err(`note: ${text}`);
  };

/** Where progress is shown: not among results in JSON, and nowhere with `--quiet`. */
export function progressTerminal(terminal: Terminal, { json = false, quiet = false }: OutputOptions): Terminal {
  if (quiet) return { ...terminal, out: () => {}, screen: null };
  return json ? { ...terminal, out: terminal.err, screen: null } : terminal;
}
