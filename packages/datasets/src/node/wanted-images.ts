/** Which images of a dataset are wanted: then only their files have to be there. */
export interface WantedSplits {
  /** `test`: the test images alone; the training split has none then, and its files may be missing. Default both. */
  readonly splits?: 'both' | 'test' | undefined;
}

/** Which images of a dataset are wanted: only these are decoded. */
export interface WantedImages extends WantedSplits {
  /** So many of each split, the first ones. Default all. */
  readonly limit?: number | undefined;
}
