import { CertError } from '@cert/core';
import {
  type Catalog,
  type Choices,
  fieldsOf,
  freeRunFolder,
  optionName,
  PRESET_NAMES,
  type RunConfig,
  readRunPlugins,
  refuseUnused,
  resolveConfig,
  resumeRun,
  startRun,
} from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { progressReporter } from '../show/progress.js';
import { resultTable } from '../show/table.js';
import type { Terminal } from '../terminal.js';
import { addFields, conflict, type RawOptions, readFields } from './options.js';
import { addRunPluginOptions, catalogIn, catalogOf, checkVersions, type PluginOption } from './plugin-option.js';
import { addShortcuts, readShortcuts } from './shortcuts.js';

/** Exit status of a run that was stopped by Ctrl-C, as shells count. */
const STOPPED = 130;

/** Makes `cert train`. `done` gets the exit status. */
export async function addTrain(
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  const known = await catalogIn(args);
  command
    .option('--preset <name>', `settings to begin with: ${PRESET_NAMES} (default: digits/quick)`)
    .option('--method <name>', `training method: ${Object.keys(known.methods).join(', ')} (default: the preset's)`)
    .option('--out <folder>', 'folder of the run, new (default: runs/<preset>-<method>-<seed>, numbered)')
    .option('--resume <folder>', 'go on with the run in this folder; its settings are kept (default: start a new run)')
    .option('--print-config', 'print the config.json that the run would have, and do nothing else (default: train)');
  addRunPluginOptions(command);
  addShortcuts(command);
  addFields(command, { catalog: known }).action(async ({ plugin, trust, printConfig = false, ...raw }: Given) => {
    if (printConfig) return terminal.out(JSON.stringify(await chosenConfig(raw, { plugin }), null, 2));
    const onEvent = progressReporter(terminal);
    const hooks = { onEvent, signal };
    const training =
      raw.resume === undefined ? startNew(raw, { plugin }, hooks) : resume(raw, raw.resume, { plugin, trust }, hooks);
    const summary = await training.finally(onEvent.close);
    if (summary === null) return done(STOPPED);
    terminal.out(`\n${resultTable([summary.result], terminal)}\n\nEverything is in ${summary.folder}`);
  });
}

type Given = RawOptions & PluginOption & { readonly printConfig?: boolean };

type Hooks = { readonly onEvent: ReturnType<typeof progressReporter>; readonly signal: AbortSignal };

/** The configuration of a new run. */
function newConfig(raw: RawOptions, catalog: Catalog): RunConfig {
  const { preset, method } = resolveConfig({ preset: raw.preset, method: raw.method }, catalog);
  const fields = readFields(raw, undefined, catalog);
  return resolveConfig({ preset, method, ...fields, ...readShortcuts(raw, method) }, catalog);
}

/** The configuration that `--print-config` shows: that of a new run. */
async function chosenConfig(raw: RawOptions, plugins: PluginOption): Promise<RunConfig> {
  if (raw.resume === undefined) return newConfig(raw, await catalogOf(plugins));
  throw conflict('--print-config and --resume were both given.', 'The config.json of that run is in its folder.');
}

async function startNew(raw: RawOptions, plugins: PluginOption, hooks: Hooks) {
  const catalog = await catalogOf(plugins);
  const config = newConfig(raw, catalog);
  const folder = raw.out ?? freeRunFolder('runs', config);
  const result = await startRun(config, { folder, catalog, ...hooks });
  return result && { result, folder };
}

async function resume(raw: RawOptions, folder: string, plugins: PluginOption, hooks: Hooks) {
  if (raw.out !== undefined) {
    throw conflict('--out and --resume were both given.', 'A run goes on in its own folder: leave out --out.');
  }
  const began = await readRunPlugins(folder);
  const catalog = await catalogOf(plugins, { folder, plugins: began });
  checkVersions(began, catalog);
  const fields = { ...readFields(raw, undefined, catalog), ...readShortcuts(raw) };
  const change = (config: RunConfig): RunConfig => {
    refuseChanges(config, { preset: raw.preset, method: raw.method, ...fields }, catalog);
    return fields.data === undefined ? config : { ...config, data: fields.data };
  };
  const result = await resumeRun({ folder, catalog, change, ...hooks });
  return result && { result, folder };
}

/** A run goes on as it began: only the place of the data may have changed. */
function refuseChanges(config: RunConfig, { options, ...fields }: Choices, catalog: Catalog): void {
  const given = { ...fields, ...options };
  const values: { readonly [name: string]: unknown } = { ...config, ...config.options };
  refuseUnused(Object.keys(given), config, catalog);
  const known = fieldsOf(catalog);
  for (const [name, value] of Object.entries(given)) {
    const before = values[name];
    if (value === undefined || name === 'data' || String(value) === String(before)) continue;
    // `auto` asks for no device in particular.
    if (name === 'device' && value === 'auto') continue;
    const option = optionName(name, known[name]?.field);
    throw new CertError(
      'bad-argument',
      `${option} is ${value}, and the run began with ${before}.`,
      'Leave the option out to go on with the run, or start a new run with --out.',
    );
  }
}
