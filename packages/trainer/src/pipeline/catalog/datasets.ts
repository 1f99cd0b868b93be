import { CertError } from '@cert/core';
import type { ColumnType, Dataset } from '@cert/datasets';
import {
  cifar10,
  csv,
  digits,
  fashionMnist,
  imageFolder,
  mnist,
  tinyImagenet,
  type WantedImages,
} from '@cert/datasets/node';
import type { Fields } from '../config/field.js';
import { type Entry, type Table, withOptions } from './entry.js';

/** Context for reading the dataset of a run. A dataset may return more images than requested; the excess is dropped. */
export interface DatasetContext extends WantedImages {
  /** Called after each image with the number of decoded images and the total. */
  readonly onProgress?: ((images: number, of: number) => void) | undefined;
}

/** Options of datasets stored as files. */
export const datasetOptions = {
  /** The folder with the files of the dataset; null for the cache of downloads. */
  data: {
    kind: 'text',
    orNone: true,
    default: null,
    placeholder: 'folder',
    wanted: 'a folder',
    help: 'folder with the files of the dataset, or the CSV file; "none": the cache of downloads',
  },
} as const satisfies Fields;

/** Options of a table. */
const csvOptions = {
  data: datasetOptions.data,
  /** Whether the label is a class or a number to predict. */
  csvTask: {
    kind: 'choice',
    of: ['classification', 'regression'],
    default: 'classification',
    before: 'classification',
    placeholder: 'task',
    about: { classification: 'the label is a class', regression: 'the label is a number to predict' },
    help: 'what the label is',
  },
  /** Column with the class; null for the last one. */
  csvLabel: {
    kind: 'text',
    orNone: true,
    default: null,
    placeholder: 'column',
    help: 'column with the class or the number to predict; "none": the last column',
  },
  /** Types of columns: `zip:category,id:ignore`; null to infer all. */
  csvTypes: {
    kind: 'text',
    orNone: true,
    default: null,
    pattern: /^[^:,]+:(?:number|category|ignore)(?:,[^:,]+:(?:number|category|ignore))*$/,
    wanted: 'comma-separated pairs COLUMN:number, COLUMN:category or COLUMN:ignore',
    placeholder: 'types',
    help: 'types of columns, such as zip:category,id:ignore; "none": inferred',
  },
  /** Column that orders the rows in time, for a split into earlier and later rows; null for a stratified random split. */
  csvTime: {
    kind: 'text',
    orNone: true,
    default: null,
    placeholder: 'column',
    help: 'test on the latest rows by this column; "none": a stratified random split',
  },
  /** Fraction of the rows that are test rows. */
  csvTest: {
    kind: 'number',
    above: 0,
    max: 0.9,
    default: 0.2,
    placeholder: 'fraction',
    help: 'fraction of the rows that are test rows',
  },
} as const satisfies Fields;

/** `zip:category,id:ignore` as types by column. */
const typesOf = (text: string): { readonly [column: string]: ColumnType } =>
  Object.fromEntries(
    text.split(',').map((pair) => {
      const [column, type] = pair.split(':') as [string, ColumnType];
      return [column.trim(), type];
    }),
  );

/** A dataset whose files are in a folder, or downloaded. */
const files = (read: (options: DatasetContext & { readonly folder?: string | undefined }) => Promise<Dataset>) =>
  withOptions(datasetOptions, ({ data }, context: DatasetContext) => read({ ...context, folder: data ?? undefined }));

/** Datasets. */
export const DATASETS = {
  digits: () => digits(),
  mnist: files(mnist),
  'fashion-mnist': files(fashionMnist),
  cifar10: files(cifar10),
  'tiny-imagenet': files(tinyImagenet),
  'image-folder': withOptions(datasetOptions, async ({ data }, context: DatasetContext) =>
    imageFolder(data ?? missingFolder(), context),
  ),
  csv: withOptions(csvOptions, ({ data, csvTask, csvLabel, csvTypes, csvTime, csvTest }) =>
    csv(data ?? missingTable(), {
      ...{ task: csvTask, label: csvLabel ?? undefined, types: csvTypes === null ? undefined : typesOf(csvTypes) },
      ...{ testFraction: csvTest, ...(csvTime !== null && { split: 'time', timeColumn: csvTime }) },
    }),
  ),
} satisfies Table<Entry<DatasetContext, Promise<Dataset>>>;

const missingTable = () => {
  throw new CertError(
    'bad-argument',
    'No file was given for the dataset csv.',
    'Give a CSV file with a header line: --data FILE.csv.',
  );
};

const missingFolder = () => {
  throw new CertError(
    'bad-argument',
    'No folder was given for the dataset image-folder.',
    'Give a folder with train/CLASS/ and test/CLASS/: --data FOLDER.',
  );
};
