import type { Dataset } from '../split.js';
import type { FileOptions } from './remote-files.js';
import { fetchIdxDataset, type RemoteIdx } from './remote-idx.js';
import type { WantedSplits } from './wanted-images.js';

const SOURCE: RemoteIdx = {
  name: 'mnist',
  classes: 10,
  mirrors: ['https://ossci-datasets.s3.amazonaws.com/mnist/', 'https://storage.googleapis.com/cvdf-datasets/mnist/'],
  sha256: {
    trainImages: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
    trainLabels: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
    testImages: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
    testLabels: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
  },
};

/**
 * MNIST (LeCun, Cortes, Burges): 60,000 and 10,000 handwritten digits, 28 x 28 x 1, values in [0, 1].
 *
 * @throws CertError `bad-file`, `no-network`: see {@link FileOptions} for the file locations
 */
export const mnist = (options: FileOptions & WantedSplits = {}): Promise<Dataset> => fetchIdxDataset(SOURCE, options);
