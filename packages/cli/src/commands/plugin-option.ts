import { CertError } from '@cert/core';
import { type Catalog, type LoadedPlugin, loadPlugin, type PluginRecord, withLoaded } from '@cert/trainer/pipeline';
import { Command, CommanderError, Option } from 'commander';
import { GROUPS } from './groups.js';

/** What commander collects for `--plugin` and `--trust`. */
export interface PluginOption {
  readonly plugin?: readonly string[] | undefined;
  readonly trust?: boolean | undefined;
}

/** Adds `--plugin`, which may be given several times. */
export function addPluginOption(command: Command): Command {
  const option = new Option(
    '--plugin <module>',
    'load a plug-in (package name or ./path); repeatable (default: none)',
  ).helpGroup(GROUPS.run);
  return command.addOption(
    option.argParser((module: string, before: readonly string[] | undefined) => [...(before ?? []), module]),
  );
}

/** Adds `--plugin` and `--trust` to a command that reads a run. */
export const addRunPluginOptions = (command: Command): Command =>
  addPluginOption(command).addOption(
    new Option(
      '--trust',
      'load plug-ins named by the run or by --config, which runs their code (default: only those of --plugin)',
    ).helpGroup(GROUPS.run),
  );

/**
 * What is built in, with the plug-ins that `--plugin` names in a command line. It is needed before the line is parsed: they bring options.
 *
 * @throws CertError as {@link catalogOf}
 */
export const catalogIn = async (args: readonly string[]): Promise<Catalog> =>
  catalogOf(scan<PluginOption>(args, addPluginOption));

/** A few options of a command line, before it is parsed. What is wrong with the line is said where all of its options are known. */
export function scan<Options extends object>(
  args: readonly string[],
  add: (command: Command) => void,
): Partial<Options> {
  const command = new Command().allowUnknownOption().allowExcessArguments().helpOption(false);
  add(command);
  command.exitOverride().configureOutput({ writeErr: () => {} });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return {};
  }
  return command.opts<Partial<Options>>();
}

/** The plug-ins that a run names. */
export interface RecordedPlugins {
  /** The folder of the run; relative modules are looked for from there. */
  readonly folder: string;
  readonly plugins: readonly PluginRecord[];
}

/**
 * What is built in, with the plug-ins that were given and those of a run. A given one stands in for the one of the run that has its name,
 * which may have moved. A folder that came from elsewhere runs no code: those that the run alone names are loaded only with `--trust`.
 *
 * @throws CertError `missing-package`, `bad-argument` of `loadPlugin` and `withPlugins`; `bad-argument` for a plug-in of the run that was
 * not given and is not trusted
 */
export async function catalogOf({ plugin = [], trust = false }: PluginOption, run?: RecordedPlugins): Promise<Catalog> {
  const loaded: LoadedPlugin[] = [];
  for (const module of new Set(plugin)) loaded.push(await loadPlugin(module));
  const given = loaded.map((one) => one.plugin.name);
  for (const record of run?.plugins ?? []) {
    if (given.includes(record.name)) continue;
    if (!trust) throw untrusted(record);
    loaded.push(await loadAgain(record, run!.folder));
  }
  return withLoaded(loaded);
}

const untrusted = ({ name, module }: PluginRecord) =>
  new CertError(
    'bad-argument',
    `The run names the plug-in "${name}"${module === null ? '' : ` (${module})`}, which is not loaded automatically because loading runs its code.`,
    module === null
      ? 'Give its package or path: --plugin MODULE.'
      : 'Give --plugin MODULE, or --trust if you trust the folder.',
  );

/** A plug-in that a run was begun with. */
async function loadAgain({ name, module }: PluginRecord, folder: string): Promise<LoadedPlugin> {
  const fail = (problem: string) =>
    new CertError(
      'bad-argument',
      `The run needs the plug-in "${name}". ${problem}`,
      'Give its package or path: --plugin MODULE.',
    );
  if (module === null) throw fail('It was passed in as a value.');
  const from = module.startsWith('.') ? folder : undefined;
  const loaded = await loadPlugin(module, from).catch((error: unknown) => {
    throw error instanceof CertError && error.code === 'missing-package' ? fail(error.problem) : error;
  });
  if (loaded.plugin.name === name) return loaded;
  throw fail(`${module} is now the plug-in "${loaded.plugin.name}".`);
}

/** @throws CertError `bad-argument` when a run would continue with another version of a plug-in than it began with */
export function checkVersions(began: readonly PluginRecord[], { plugins }: Catalog): void {
  for (const { name, version } of began) {
    const now = plugins.find((plugin) => plugin.name === name);
    if (now === undefined || now.version === version) continue;
    throw new CertError(
      'bad-argument',
      `The run began with version ${version} of the plug-in "${name}", but version ${now.version} is installed.`,
      'Install that version to continue the run, or start a new one with --out.',
    );
  }
}
