import type { Dataset } from '../split.js';
import type { FileOptions } from './remote-files.js';
import { fetchIdxDataset, type RemoteIdx } from './remote-idx.js';
import type { WantedSplits } from './wanted-images.js';

const SOURCE: RemoteIdx = {
  name: 'fashion-mnist',
  classes: 10,
  classNames: [
    ...['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat'],
    ...['Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
  ],
  mirrors: [
    'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/',
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
  ],
  sha256: {
    trainImages: 'b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7',
    trainLabels: '0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056',
    testImages: 'cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa',
    testLabels: '8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05',
  },
};

/**
 * Fashion-MNIST (Xiao, Rasul, Vollgraf 2017; MIT licence): 60,000 and 10,000 images of clothing, 28 x 28 x 1, values in [0, 1].
 *
 * @throws CertError `bad-file`, `no-network`: see {@link FileOptions} for the file locations
 */
export const fashionMnist = (options: FileOptions & WantedSplits = {}): Promise<Dataset> =>
  fetchIdxDataset(SOURCE, options);
