export { type ArrayDataset, type ArraySplit, arrayDataset, arraySplit, type TargetSplit } from './arrays.js';
export { type BatchOptions, batchCount, batches, type SplitBatch } from './batches.js';
export { type HeldOut, type HoldOutOptions, holdOut } from './hold-out.js';
export {
  type IdxArray,
  type IdxDataset,
  type IdxSplit,
  idxDataset,
  type NamedBytes,
  parseIdx,
  parseIdxSplit,
} from './idx.js';
export { imagesOf } from './images-of.js';
export { pixelMoments } from './pixel-moments.js';
export {
  type Augmentation,
  checkSplit,
  type Dataset,
  type PixelRange,
  type Split,
  subset,
  type Target,
} from './split.js';
export type { ColumnType, Table } from './tabular/columns.js';
export { encodeRows, type RowFeatures } from './tabular/encode-rows.js';
export type { RowSplit } from './tabular/split-rows.js';
export { type TableOptions, tableDataset } from './tabular/table-dataset.js';
export { rowsWithTargets, TOLERANCE_CLASSES, targetMoments } from './targets.js';
