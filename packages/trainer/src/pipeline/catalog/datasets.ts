import { CertError } from '@cert/core';
import type { Dataset } from '@cert/datasets';
import {
  cifar10,
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
    help: 'folder with the files of the dataset; "none": the cache of downloads',
  },
} as const satisfies Fields;

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
} satisfies Table<Entry<DatasetContext, Promise<Dataset>>>;

const missingFolder = () => {
  throw new CertError(
    'bad-argument',
    'No folder was given for the dataset image-folder.',
    'Give a folder with train/CLASS/ and test/CLASS/: --data FOLDER.',
  );
};
