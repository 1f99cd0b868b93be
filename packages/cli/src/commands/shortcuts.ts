import { type Choices, type FieldName, METHODS, optionName } from '@cert/trainer/pipeline';
import { type Command, Option } from 'commander';
import { GROUPS } from './groups.js';
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
  /** The method that it belongs to; default any. */
  readonly method?: string;
  readonly group: keyof typeof GROUPS;
}

const SHORTCUTS: readonly Shortcut[] = [
  {
    flag: '--no-init',
    key: 'noInit',
    group: 'model',
    help: 'use the initialization of the method vanilla',
    choices: { init: METHODS.vanilla!.init },
    replaces: ['init'],
  },
  {
    flag: '--no-reg',
    key: 'noReg',
    group: 'certified',
    help: 'use no regularizers',
    choices: { regularizers: [], regWeight: 0 },
    replaces: ['regularizers', 'regWeight'],
  },
  {
    flag: '--no-fusion',
    key: 'noFusion',
    group: 'certified',
    help: 'bound every margin instead of the loss (method crown-ibp)',
    choices: { objective: 'crown-ibp' },
    replaces: ['objective'],
    method: 'crown-ibp',
  },
];

/** Adds the shortcuts to a command. */
export function addShortcuts(command: Command): void {
  for (const { flag, help, group } of SHORTCUTS) {
    const option = new Option(flag, help).helpGroup(GROUPS[group]);
    // Commander would take `--no-init` for the opposite of `--init <name>`, and only the last of the two would be seen.
    option.negate = false;
    command.addOption(option);
  }
}

/**
 * What the given shortcuts stand for.
 *
 * @param chosen the method of the run; not checked where it is not known
 * @throws CertError `bad-argument` when an option is given beside the shortcut that speaks for it, or a shortcut that the method does
 * not have
 */
export function readShortcuts(raw: RawOptions, chosen?: string): Choices {
  const given = SHORTCUTS.filter(({ key }) => raw[key] !== undefined);
  for (const { flag, replaces, method } of given) {
    if (method !== undefined && chosen !== undefined && method !== chosen) {
      throw conflict(
        `${flag} requires the method ${method}, but the method is ${chosen}.`,
        `Leave it out, or give --method ${method}.`,
      );
    }
    for (const name of replaces) {
      if (raw[name] === undefined) continue;
      const option = optionName(name);
      throw conflict(`${flag} and ${option} were both given.`, `Leave out one of them: ${flag} sets ${option} itself.`);
    }
  }
  return Object.assign({}, ...given.map(({ choices }) => choices));
}
