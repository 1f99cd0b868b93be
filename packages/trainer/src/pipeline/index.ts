export { type ModelContext, type ModelSize, modelOptions } from './catalog/architectures.js';
export { type Catalog, searchVerifiers, standardCatalog, VERIFIERS } from './catalog/catalog.js';
export { type DatasetContext, datasetOptions } from './catalog/datasets.js';
export { type Configurable, type Entry, type Table, withOptions } from './catalog/entry.js';
export type { ObjectiveContext } from './catalog/objectives.js';
export { checkField } from './config/check-field.js';
export { checkConfig, type FieldName, headerOf } from './config/config.js';
export {
  type BooleanField,
  type ChoiceField,
  type CommonField,
  choicesOf,
  type Field,
  type FieldAbout,
  type Fields,
  flagsOf,
  type IntegerField,
  type MaybeDefault,
  type NameField,
  type NumberField,
  type NumbersField,
  namesOf,
  type OptionValue,
  type OrNone,
  optionName,
  type Part,
  type PerturbationField,
  type Tables,
  type TextField,
  type ValueOf,
  type ValuesOf,
  type WeightedField,
  type WithDefault,
} from './config/field.js';
export { FIELDS } from './config/fields.js';
export { METHODS } from './config/methods.js';
export {
  type AnyField,
  asChoices,
  fieldsOf,
  makeNamed,
  type Owner,
  ownersText,
  refuseUnused,
  type UsedNames,
} from './config/options.js';
export { parseField } from './config/parse-field.js';
export { type PerturbedData, perturbationOf } from './config/perturbation.js';
export { checkPerturbationSpec, type FeatureSpec, type PerturbationSpec } from './config/perturbation-spec.js';
export {
  type Choices,
  PRESET_NAMES,
  PRESETS,
  type Preset,
  type PresetSettings,
  resolveConfig,
  usualEpsilon,
} from './config/preset.js';
export { radiusText } from './config/radius.js';
export type { BuiltInOptions, PluginRecord, RunConfig, RunHeader } from './config/run-config.js';
export { canonicalName, choose, didYouMean, unknownName } from './names.js';
export { loadPlugin } from './plugins/load-plugin.js';
export { PARTS, type Plugin } from './plugins/plugin.js';
export { type LoadedPlugin, withLoaded, withPlugins } from './plugins/with-plugins.js';
export type { Best } from './runs/best.js';
export { type ChosenDevice, chooseDevice } from './runs/choose-device.js';
export { type DataFacts, type RowFacts, readDataFacts } from './runs/data-facts.js';
export { describeEvent, duration, errorText, number, percent } from './runs/describe.js';
export type { RunEvent, RunNumbers, Summary } from './runs/event.js';
export { checkDataFits, initializerOf, loadData, loadTestData } from './runs/experiment.js';
export {
  checkConfigOf,
  readRunConfig,
  readRunPlugins,
  runFiles,
  runOwner,
} from './runs/folder.js';
export { freePath, freeRunFolder } from './runs/free-folder.js';
export {
  type EpochErrors,
  epochErrorsOf,
  type MetricsLine,
  type MonitoredName,
  type ReadMetrics,
  readMetricsLines,
} from './runs/metrics-lines.js';
export { type EvaluatedAs, evaluatedAs, refuseRegression, toleranceOf } from './runs/regression.js';
export { type RunOptions, resumeRun, startRun } from './runs/run.js';
export { type ExampleWords, exampleWords } from './words.js';
