import { CertError } from '@cert/core';
import { type Catalog, type LoadedPlugin, loadPlugin, type PluginRecord, withLoaded } from '@cert/trainer/pipeline';
import { type Command, Option } from 'commander';

/** What commander collects for `--plugin`. */
export interface PluginOption {
  readonly plugin?: readonly string[] | undefined;
}

/** Adds `--plugin`, which may be given several times. */
export function addPluginOption(command: Command, usual = 'none'): Command {
  const help = 'module that adds to what names stand for: a package, or a path that begins with a dot; may be repeated';
  const option = new Option('--plugin <module>', `${help} (default: ${usual})`);
  return command.addOption(
    option.argParser((module: string, before: readonly string[] | undefined) => [...(before ?? []), module]),
  );
}

/**
 * What is built in, with the plug-ins that were given and those of a run. A given one stands in for the one of the run that has its name,
 * which may have moved.
 *
 * @throws CertError `missing-package`, `bad-argument` of `loadPlugin` and `withPlugins`
 */
export async function catalogOf({ plugin = [] }: PluginOption, ofRun: readonly PluginRecord[] = []): Promise<Catalog> {
  const loaded: LoadedPlugin[] = [];
  for (const module of new Set(plugin)) loaded.push(await loadPlugin(module));
  const given = loaded.map((one) => one.plugin.name);
  for (const record of ofRun) if (!given.includes(record.name)) loaded.push(await loadAgain(record));
  return withLoaded(loaded);
}

/** A plug-in that a run was begun with. */
async function loadAgain({ name, module }: PluginRecord): Promise<LoadedPlugin> {
  const fail = (problem: string) =>
    new CertError(
      'bad-argument',
      `The run needs the plug-in "${name}". ${problem}`,
      'Say where it is: --plugin MODULE.',
    );
  if (module === null) throw fail('It was passed in as a value.');
  const loaded = await loadPlugin(module).catch((error: unknown) => {
    throw error instanceof CertError && error.code === 'missing-package' ? fail(error.problem) : error;
  });
  if (loaded.plugin.name === name) return loaded;
  throw fail(`${module} is now the plug-in "${loaded.plugin.name}".`);
}

/** @throws CertError `bad-argument` when a run would go on with another version of a plug-in than it began with */
export function checkVersions(began: readonly PluginRecord[], { plugins }: Catalog): void {
  for (const { name, version } of began) {
    const now = plugins.find((plugin) => plugin.name === name);
    if (now === undefined || now.version === version) continue;
    throw new CertError(
      'bad-argument',
      `The run began with version ${version} of the plug-in "${name}", and this is ${now.version}.`,
      'Install that version to go on with the run, or start a new one with --out.',
    );
  }
}
