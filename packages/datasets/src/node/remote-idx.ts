import { idxDataset } from '../idx.js';
import type { Dataset } from '../split.js';
import { gunzipIdx } from './gunzip-idx.js';
import { type FileOptions, fetchFiles } from './remote-files.js';

/** Five times what MNIST has: 60,000 images of 28 x 28, and a label each. */
const IMAGES = { maxBytes: 5 * 60_000 * 28 * 28 };
const LABELS = { maxBytes: 5 * 60_000 };

/** A dataset in four IDX files with the names that MNIST gave them. */
export interface RemoteIdx {
  /** The dataset's name; also that of its folder in the cache. */
  readonly name: string;
  /** Number of classes. */
  readonly classes: number;
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
 * Finds or downloads a dataset's four files and reads them.
 *
 * @throws CertError as {@link fetchFiles} and {@link idxDataset}
 */
export async function fetchIdxDataset(source: RemoteIdx, options: FileOptions = {}): Promise<Dataset> {
  const { name, classes, mirrors, sha256 } = source;
  const files = [
    { name: 'train-images-idx3-ubyte.gz', sha256: sha256.trainImages },
    { name: 'train-labels-idx1-ubyte.gz', sha256: sha256.trainLabels },
    { name: 't10k-images-idx3-ubyte.gz', sha256: sha256.testImages },
    { name: 't10k-labels-idx1-ubyte.gz', sha256: sha256.testLabels },
  ];
  const [trainImages, trainLabels, testImages, testLabels] = await fetchFiles({ name, mirrors, files }, options);
  return idxDataset({
    name,
    classes,
    train: { images: gunzipIdx(trainImages!, 3, IMAGES), labels: gunzipIdx(trainLabels!, 1, LABELS) },
    test: { images: gunzipIdx(testImages!, 3, IMAGES), labels: gunzipIdx(testLabels!, 1, LABELS) },
  });
}
