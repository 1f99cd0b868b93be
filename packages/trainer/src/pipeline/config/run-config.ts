import type { MODELS } from '../catalog/architectures.js';
import type { DATASETS } from '../catalog/datasets.js';
import type { OptionsIn } from '../catalog/entry.js';
import type { OBJECTIVES } from '../catalog/objectives.js';
import type { OPTIMIZERS } from '../catalog/optimizers.js';
import type { REGULARIZERS } from '../catalog/regularizers.js';
import type { OptionValue, ValuesOf } from './field.js';
import type { FIELDS } from './fields.js';

/** A plug-in of a run, and where to find it again. Plain data. */
export interface PluginRecord {
  /** Its name, as the plug-in gives it. */
  readonly name: string;
  /** The name of a package, or the absolute path of a folder or file; null for one that was passed in as a value. */
  readonly module: string | null;
  /** That of its package; null when it has none. */
  readonly version: string | null;
}

/** What a configuration says besides its fields and options. */
export interface RunHeader {
  /** A name in {@link PRESETS}; the values that it chose are in the other fields. */
  readonly preset: string;
  /** A name in `Catalog.methods`; the values that it chose are in the other fields. */
  readonly method: string;
  /** What it needs beyond what is built in. */
  readonly plugins: readonly PluginRecord[];
  /** The options of what plug-ins bring, as far as the run uses it: `{ smoothKappa: 0.3 }`. */
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

/** The options of single built-in objectives, regularizers, datasets, models and optimizers, as they are declared beside them in the catalog. */
export interface BuiltInOptions extends Declared {}

/**
 * Everything that a run depends on. Plain data: `config.json` of a run is one, and replays it. Names are keys of a {@link Catalog};
 * {@link resolveConfig} makes one of a few choices, {@link checkConfig} checks one. Each field but `plugins` is an option of
 * `cert train`. The options of one thing (`pgdSteps` of the objective `pgd`, `width` of the models) are there where the run uses that
 * thing: those of what is built in as fields, those of plug-ins in `options`.
 */
export type RunConfig = RunHeader & ValuesOf<typeof FIELDS> & Partial<BuiltInOptions>;
