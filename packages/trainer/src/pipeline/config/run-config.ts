import type { MODELS } from '../catalog/architectures.js';
import type { DATASETS } from '../catalog/datasets.js';
import type { OptionsIn } from '../catalog/entry.js';
import type { OBJECTIVES } from '../catalog/objectives.js';
import type { OPTIMIZERS } from '../catalog/optimizers.js';
import type { REGULARIZERS } from '../catalog/regularizers.js';
import type { OptionValue, ValuesOf } from './field.js';
import type { FIELDS } from './fields.js';

/** A plug-in of a run and its location. Plain data. */
export interface PluginRecord {
  /** Name of the plug-in. */
  readonly name: string;
  /** Package name, or absolute path of a folder or file; null for a plug-in passed as a value. */
  readonly module: string | null;
  /** Version of the package; null if unknown. */
  readonly version: string | null;
}

/** Header of a configuration. */
export interface RunHeader {
  /** A name in {@link PRESETS}; the values that it chose are in the other fields. */
  readonly preset: string;
  /** A name in `Catalog.methods`; the values that it chose are in the other fields. */
  readonly method: string;
  /** Plug-ins that the run needs. */
  readonly plugins: readonly PluginRecord[];
  /** Plug-in options that the run uses: `{ smoothKappa: 0.3 }`. */
  readonly options: { readonly [name: string]: OptionValue };
}

/** As they are declared beside each thing. */
type Declared = ValuesOf<
  OptionsIn<typeof DATASETS> &
    OptionsIn<typeof MODELS> &
    OptionsIn<typeof OPTIMIZERS> &
    OptionsIn<typeof OBJECTIVES> &
    OptionsIn<typeof REGULARIZERS>
>;

/** Options of built-in objectives, regularizers, datasets, models and optimizers, as declared in the catalog. */
export interface BuiltInOptions extends Declared {}

/**
 * Complete configuration of a run, as stored in `config.json`. Plain data. Names are keys of a {@link Catalog}; {@link resolveConfig}
 * creates a configuration from a few choices, {@link checkConfig} checks one. Each field except `plugins` is an option of `cert train`.
 * Options of catalog entries (`pgdSteps` of the objective `pgd`, `width` of the models) are present if the run uses the entry: built-in
 * options as fields, plug-in options in `options`.
 */
export type RunConfig = RunHeader & ValuesOf<typeof FIELDS> & Partial<BuiltInOptions>;
