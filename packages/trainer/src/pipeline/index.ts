export { type ModelContext, type ModelSize, modelOptions } from './catalog/architectures.js';
export { type Catalog, standardCatalog, VERIFIERS } from './catalog/catalog.js';
export { type DatasetContext, datasetOptions } from './catalog/datasets.js';
export { type Configurable, type Entry, type Table, withOptions } from './catalog/entry.js';
export type { ObjectiveContext } from './catalog/objectives.js';
export { checkConfig, FIELD_NAMES, type FieldName } from './config/config.js';
export {
  type CommonField,
  checkField,
  choicesOf,
  type Field,
  type Fields,
  flagsOf,
  type OptionValue,
  optionName,
  parseField,
  type ValueOf,
  type ValuesOf,
} from './config/field.js';
export { FIELDS } from './config/fields.js';
export { METHODS } from './config/methods.js';
export {
  type AnyField,
  asChoices,
  fieldsOf,
  makeNamed,
  type Option,
  optionsOf,
  ownersText,
  refuseUnused,
} from './config/options.js';
export { type Choices, PRESET_NAMES, PRESETS, type Preset, resolveConfig } from './config/preset.js';
export type { PluginRecord, RunConfig } from './config/run-config.js';
export { choose } from './names.js';
export { loadPlugin } from './plugins/load-plugin.js';
export { PARTS, type Plugin } from './plugins/plugin.js';
export { type LoadedPlugin, withLoaded, withPlugins } from './plugins/with-plugins.js';
export type { Best } from './runs/best.js';
export { type ChosenDevice, chooseDevice } from './runs/choose-device.js';
export { describeEvent, number, percent } from './runs/describe.js';
export type { RunEvent, RunNumbers, Summary } from './runs/event.js';
export { checkDataFits, initializerOf, loadData } from './runs/experiment.js';
export {
  checkConfigOf,
  readRunConfig,
  readRunPlugins,
  runFiles,
} from './runs/folder.js';
export { freePath, freeRunFolder } from './runs/free-folder.js';
export { type MetricsLine, type ReadMetrics, readMetricsLines } from './runs/metrics-lines.js';
export { type RunOptions, resumeRun, startRun } from './runs/run.js';
