import { idxDataset, type NamedBytes } from '../idx.js';
import type { Dataset } from '../split.js';
import { gunzipIdx } from './gunzip-idx.js';
import { type FileOptions, fetchFiles } from './remote-files.js';
import type { WantedSplits } from './wanted-images.js';

/** Five times what MNIST has: 60,000 images of 28 x 28, and a label each. */
const IMAGES = { maxBytes: 5 * 60_000 * 28 * 28 };
const LABELS = { maxBytes: 5 * 60_000 };

/** A dataset in four IDX files with the names that MNIST gave them. */
export interface RemoteIdx {
  /** The dataset's name; also that of its folder in the cache. */
  readonly name: string;
  /** Number of classes. */
  readonly classes: number;
  /** Names of the classes, in label order. */
  readonly classNames?: readonly string[];
  /** Addresses ending in `/`, tried in order. */
  readonly mirrors: readonly string[];
  /** SHA-256 of each compressed file, in hex. */
  readonly sha256: {
    readonly trainImages: string;
    readonly trainLabels: string;
    readonly testImages: string;
    readonly testLabels: string;
  };
}

/**
 * Finds or downloads a dataset's four files, or the two of its test images, and reads them.
 *
 * @throws CertError as {@link fetchFiles} and {@link idxDataset}
 */
export async function fetchIdxDataset(source: RemoteIdx, options: FileOptions & WantedSplits = {}): Promise<Dataset> {
  const { name, classes, classNames, mirrors, sha256 } = source;
  const files = [
    { name: 'train-images-idx3-ubyte.gz', sha256: sha256.trainImages },
    { name: 'train-labels-idx1-ubyte.gz', sha256: sha256.trainLabels },
    { name: 't10k-images-idx3-ubyte.gz', sha256: sha256.testImages },
    { name: 't10k-labels-idx1-ubyte.gz', sha256: sha256.testLabels },
  ];
  const wanted = options.splits === 'test' ? files.slice(2) : files;
  const found = await fetchFiles({ name, mirrors, files: wanted }, options);
  const split = ([images, labels]: readonly NamedBytes[]) => ({
    images: gunzipIdx(images!, 3, IMAGES),
    labels: gunzipIdx(labels!, 1, LABELS),
  });
  const test = split(found.slice(-2));
  const train = options.splits === 'test' ? undefined : split(found);
  return idxDataset({ name, classes, classNames, test, train });
}
