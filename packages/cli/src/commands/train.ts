import { dirname } from 'node:path';
import { CertError } from '@cert/core';
import {
  type Catalog,
  type Choices,
  fieldsOf,
  freeRunFolder,
  optionName,
  PRESET_NAMES,
  PRESETS,
  type RunConfig,
  type RunEvent,
  radiusText,
  readRunPlugins,
  refuseUnused,
  resolveConfig,
  resumeRun,
  startRun,
  usualEpsilon,
} from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { progressReporter, stoppedLine } from '../show/progress.js';
import { resultTable } from '../show/table.js';
import { STOPPED } from '../signals.js';
import { tensorboardEvents } from '../tensorboard/run-events.js';
import type { Terminal } from '../terminal.js';
import { readConfigFile, withFile } from './config-file.js';
import { GROUPS } from './groups.js';
import { NameOption } from './name-option.js';
import { addFields, canonical, conflict, type RawOptions, readFields, shown } from './options.js';
import { addOutputOptions, type OutputOptions, progressTerminal } from './output-options.js';
import { addRunPluginOptions, catalogIn, catalogOf, checkVersions, type PluginOption, scan } from './plugin-option.js';
import { addShortcuts, readShortcuts } from './shortcuts.js';

/** Makes `cert train`. `done` gets the exit status. */
export async function addTrain(
  command: Command,
  terminal: Terminal,
  signal: AbortSignal,
  done: (status: number) => void,
  args: readonly string[],
): Promise<void> {
  const known = await catalogIn(args);
  const values = shownDefaults(args, known);
  command
    .summary(command.description())
    .description(
      `${sentence(command.description())}\n\nDefaults below are for the preset ${values.preset} with the method ${values.method}. For another preset: ${calledAs()} train --preset NAME --help`,
    )
    .optionsGroup(GROUPS.run)
    .addOption(new NameOption('--preset <name>', `base settings: ${PRESET_NAMES}`, Object.keys(PRESETS)))
    .addOption(methodOption(known))
    .option(
      '--config <file>',
      'JSON or YAML file with all or some settings, in the format of --print-config; options override it',
    )
    .option('--resume <folder>', 'continue the run in this folder with its settings');
  addRunPluginOptions(command);
  addFields(command, { catalog: known, values });
  addShortcuts(command);
  command
    .optionsGroup(GROUPS.output)
    .option('--out <folder>', 'new folder for the run (default: runs/<preset>-<method>-<seed>, numbered)')
    .option(
      '--tensorboard',
      'also write event files of TensorBoard to the folder tensorboard of the run (default: none)',
    )
    .option('--print-config', 'print the config.json of the run and exit');
  addOutputOptions(command, 'the summary').action(
    async ({ plugin, trust, printConfig = false, tensorboard = false, json = false, quiet = false, ...raw }: Given) => {
      const plugins = { plugin, trust };
      if (printConfig) return terminal.out(JSON.stringify(await chosenConfig(raw, plugins, terminal), null, 2));
      const report = progressReporter(progressTerminal(terminal, { json, quiet }));
      const show = quiet ? importantEvents(terminal) : report;
      const hooks = { onEvent: tensorboard ? inTurn(tensorboardEvents(), show) : show, signal };
      const training =
        raw.resume === undefined ? startNew(raw, plugins, terminal, hooks) : resume(raw, raw.resume, plugins, hooks);
      const summary = await training.finally(report.close);
      if (summary === null) return done(STOPPED);
      const { result, folder } = summary;
      if (json) terminal.out(JSON.stringify({ ...result, folder }));
      else
        terminal.out(
          `${quiet ? '' : '\n'}${resultTable([result], terminal)}\n\nResults and checkpoints are in ${folder}`,
        );
    },
  );
}

const methodOption = ({ methods }: Catalog) =>
  new NameOption('--method <name>', `training method: ${Object.keys(methods).join(', ')}`, Object.keys(methods));

const sentence = (text: string) => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

/** The settings whose defaults a help text shows: those of the preset and the method on the command line. */
function shownDefaults(args: readonly string[], catalog: Catalog): RunConfig {
  if (!args.some((arg) => arg === '--help' || arg === '-h')) return resolveConfig();
  const raw = scan<RawOptions>(args, (command) => command.option('--preset <name>').option('--method <name>'));
  return resolveConfig(headOf(raw, catalog), catalog);
}

/** The preset and the method as their tables have them. */
const headOf = ({ preset, method }: RawOptions, { methods }: Catalog) => ({
  preset: canonical(preset, PRESETS),
  method: canonical(method, methods),
});

type Given = RawOptions &
  PluginOption &
  OutputOptions & { readonly printConfig?: boolean; readonly tensorboard?: boolean };

/** Gives an event to several. */
const inTurn =
  (...all: readonly ((event: RunEvent) => void)[]) =>
  (event: RunEvent): void => {
    for (const each of all) each(event);
  };

type Hooks = { readonly onEvent: (event: RunEvent) => void; readonly signal: AbortSignal };

/** What must be seen even with `--quiet`. */
const importantEvents =
  ({ err }: Terminal) =>
  (event: RunEvent): void => {
    if (event.type === 'start' && event.device.warning !== undefined) err(`warning: ${event.device.warning}`);
    if (event.type === 'warning') err(`warning: ${event.message}`);
    if (event.type === 'stopped') err(stoppedLine(event));
  };

/** The catalog and the configuration of a new run. */
async function newConfig(
  raw: RawOptions,
  plugins: PluginOption,
  { err }: Terminal,
): Promise<{ readonly catalog: Catalog; readonly config: RunConfig }> {
  const file = raw.config === undefined ? undefined : await readConfigFile(raw.config);
  const catalog = await catalogOf(plugins, file && { folder: dirname(raw.config!), plugins: file.plugins });
  const head = headOf(raw, catalog);
  const given = { ...head, ...readFields(raw, undefined, catalog) };
  const choices = file === undefined ? given : withFile(file, given, catalog);
  const { preset, method } = resolveConfig({ preset: choices.preset, method: choices.method }, catalog);
  const config = resolveConfig({ ...choices, ...readShortcuts(raw, method) }, catalog);
  const note = radiusNote(config, resolveConfig({ preset, method }, catalog), choices);
  if (note !== undefined) err(note);
  return { catalog, config };
}

/**
 * The line that says which radius another dataset than the preset's gets.
 *
 * @throws CertError `bad-argument` where no radius is usual for it and none was chosen
 */
function radiusNote({ dataset, epsilon }: RunConfig, usual: RunConfig, choices: Choices): string | undefined {
  if (dataset === usual.dataset || choices.epsilon !== undefined) return undefined;
  const before = `${radiusText(usual.epsilon)} of the preset ${usual.preset} is for ${usual.dataset}`;
  if (usualEpsilon(dataset) === undefined) {
    throw conflict(
      `No radius was given for the dataset ${dataset}; ${before}.`,
      'Give --epsilon, a number such as 0.1 or a fraction such as 8/255.',
    );
  }
  if (epsilon === usual.epsilon) return undefined;
  const text = radiusText(epsilon);
  const shownRadius = text.includes('/') ? `${text} (${Number(epsilon.toPrecision(3))})` : text;
  return `note: epsilon is ${shownRadius}, the usual radius for ${dataset}; ${before}. Choose another with --epsilon.`;
}

/** The configuration that `--print-config` shows: that of a new run. */
async function chosenConfig(raw: RawOptions, plugins: PluginOption, terminal: Terminal): Promise<RunConfig> {
  if (raw.resume === undefined) return (await newConfig(raw, plugins, terminal)).config;
  throw conflict(
    '--print-config and --resume were both given.',
    'Leave out --print-config: the folder of the run contains its config.json.',
  );
}

async function startNew(raw: RawOptions, plugins: PluginOption, terminal: Terminal, hooks: Hooks) {
  const { catalog, config } = await newConfig(raw, plugins, terminal);
  const folder = raw.out ?? freeRunFolder('runs', config);
  const result = await startRun(config, { folder, catalog, ...hooks });
  return result && { result, folder };
}

async function resume(raw: RawOptions, folder: string, plugins: PluginOption, hooks: Hooks) {
  if (raw.out !== undefined) {
    throw conflict('--out and --resume were both given.', 'Leave out --out: a resumed run stays in its folder.');
  }
  if (raw.config !== undefined) {
    throw conflict('--config and --resume were both given.', 'Leave out --config: a resumed run keeps its settings.');
  }
  const began = await readRunPlugins(folder);
  const catalog = await catalogOf(plugins, { folder, plugins: began });
  checkVersions(began, catalog);
  const fields = { ...readFields(raw, undefined, catalog), ...readShortcuts(raw) };
  const change = (config: RunConfig): RunConfig => {
    refuseChanges(config, { ...headOf(raw, catalog), ...fields }, catalog);
    const { data = config.data, checkpointMinutes = config.checkpointMinutes } = fields;
    return { ...config, ...(data !== undefined && { data }), checkpointMinutes };
  };
  const result = await resumeRun({ folder, catalog, change, ...hooks });
  return result && { result, folder };
}

/** Settings that change nothing of what a run computes. */
const CHANGEABLE = ['data', 'checkpointMinutes'];

/** A run continues as it began: only the place of the data may have changed, and how often it is saved. */
function refuseChanges(config: RunConfig, { options, ...fields }: Choices, catalog: Catalog): void {
  const given = { ...fields, ...options };
  const values: { readonly [name: string]: unknown } = { ...config, ...config.options };
  refuseUnused(Object.keys(given), config, catalog);
  const known = fieldsOf(catalog);
  for (const [name, value] of Object.entries(given)) {
    const before = values[name];
    if (value === undefined || CHANGEABLE.includes(name) || String(value) === String(before)) continue;
    // `auto` asks for no device in particular.
    if (name === 'device' && value === 'auto') continue;
    const field = known[name]?.field;
    throw new CertError(
      'bad-argument',
      `${optionName(name, field)} is ${shown(value, field)}, but the run began with ${shown(before, field)}.`,
      'Leave the option out to continue the run, or start a new run with --out.',
    );
  }
}
