/** Which splits of a dataset to read; only their files must exist. */
export interface WantedSplits {
  /** `test`: only the test images; the training split is then empty and its files may be missing. Default: both. */
  readonly splits?: 'both' | 'test' | undefined;
}

/** Which images of a dataset to read; only these are decoded. */
export interface WantedImages extends WantedSplits {
  /** Maximum number of images of each split, from the beginning. Default: all. */
  readonly limit?: number | undefined;
}
