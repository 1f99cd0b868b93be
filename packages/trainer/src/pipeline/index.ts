export { BATCH_NORMS, type ModelSize } from './catalog/architectures.js';
export {
  type Catalog,
  CERTIFIERS,
  type DatasetOptions,
  type ObjectiveOptions,
  standardCatalog,
  type Table,
} from './catalog/catalog.js';
export { checkConfig, FIELD_NAMES, FIELDS, type Field, type FieldName, optionName } from './config/config.js';
export { METHODS } from './config/methods.js';
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
export { checkDataFits, loadData } from './runs/experiment.js';
export {
  checkConfigOf,
  readRunConfig,
  readRunPlugins,
  runFiles,
} from './runs/folder.js';
export { freePath, freeRunFolder } from './runs/free-folder.js';
export { type MetricsLine, type ReadMetrics, readMetricsLines } from './runs/metrics-lines.js';
export { type RunOptions, resumeRun, startRun } from './runs/run.js';
