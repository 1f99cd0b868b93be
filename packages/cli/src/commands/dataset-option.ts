import type { Catalog, RunConfig } from '@cert/trainer/pipeline';
import { canonical, type RawOptions } from './options.js';

/** The option `--data` of commands that read test images. */
export const DATA_OPTION = [
  '--data <folder>',
  'folder with the files of the dataset, or the CSV file; "none": the cache of downloads (default: that of the run)',
] as const;

/** The configuration with the dataset that `--dataset` names and the files that `--data` names, where they are given. */
export function withDataset(config: RunConfig, raw: RawOptions, { datasets }: Catalog): RunConfig {
  const dataset = canonical(raw.dataset, datasets);
  const isOther = dataset !== undefined && dataset !== config.dataset;
  // The files of the run are those of its own dataset.
  const chosen = isOther ? { ...config, dataset, data: null, limit: null } : config;
  return raw.data === undefined ? chosen : { ...chosen, data: raw.data === 'none' ? null : raw.data };
}
