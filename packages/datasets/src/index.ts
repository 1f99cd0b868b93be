export { type ArrayDataset, type ArraySplit, arrayDataset, arraySplit } from './arrays.js';
export { type BatchOptions, batchCount, batches, type HostBatch } from './batches.js';
export { defaultCacheFolder } from './cache.js';
export { type Cifar10Options, cifar10 } from './cifar10.js';
export type { DecodeOptions } from './decode-images.js';
export { digits } from './digits.js';
export { fashionMnist } from './fashion-mnist.js';
export {
  type IdxArray,
  type IdxDataset,
  type IdxSplit,
  idxDataset,
  type NamedBytes,
  parseIdx,
  parseIdxSplit,
} from './idx.js';
export { type ImageFolderOptions, imageFolder } from './image-folder.js';
export { type LoadOptions, loadBatches } from './load-batches.js';
export { mnist } from './mnist.js';
export { pixelMoments } from './pixel-moments.js';
export { type FileOptions, fetchFiles, type RemoteFile, type RemoteFiles } from './remote-files.js';
export { fetchIdxDataset, type RemoteIdx } from './remote-idx.js';
export {
  type Augmentation,
  checkSplit,
  type Dataset,
  type Normalization,
  type PixelRange,
  type Split,
  subset,
} from './split.js';
export { type TinyImagenetOptions, tinyImagenet } from './tiny-imagenet.js';
