import { type Command, Option } from 'commander';
import { FIELDS, type FieldName, optionName } from '../config.js';
import { type Choices, METHODS } from '../preset.js';
import { conflict, type RawOptions } from './options.js';

/** An option without a value that stands for values of other options. */
interface Shortcut {
  /** As commander takes it, and the name that commander gives it. */
  readonly flag: string;
  readonly key: string;
  readonly help: string;
  readonly choices: Choices;
  /** The options that it speaks for: they cannot be given beside it. */
  readonly replaces: readonly FieldName[];
}

const SHORTCUTS: readonly Shortcut[] = [
  {
    flag: '--no-init',
    key: 'noInit',
    help: "the initialization of vanilla instead of the method's own",
    choices: { init: METHODS.vanilla!.init },
    replaces: ['init'],
  },
  {
    flag: '--no-reg',
    key: 'noReg',
    help: 'no regularizers',
    choices: { regularizers: [], regWeight: 0 },
    replaces: ['regularizers', 'regWeight'],
  },
];

/** Adds the shortcuts to a command. */
export function addShortcuts(command: Command): void {
  for (const { flag, help } of SHORTCUTS) {
    const option = new Option(flag, `${help} (default: off)`);
    // Commander would take `--no-init` for the opposite of `--init <name>`, and only the last of the two would be seen.
    option.negate = false;
    command.addOption(option);
  }
}

/**
 * What the given shortcuts stand for.
 *
 * @throws CertError `bad-argument` when an option is given beside the shortcut that speaks for it
 */
export function readShortcuts(raw: RawOptions): Choices {
  const given = SHORTCUTS.filter(({ key }) => raw[key] !== undefined);
  for (const { flag, replaces } of given) {
    for (const name of replaces) {
      if (raw[name] === undefined) continue;
      const option = optionName(FIELDS[name]);
      throw conflict(`${flag} and ${option} were both given.`, `Leave out one of them: ${flag} sets ${option} itself.`);
    }
  }
  return Object.assign({}, ...given.map(({ choices }) => choices));
}
