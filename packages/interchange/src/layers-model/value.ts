import type { Shape } from '@cert/core';
import type { Zeros } from '../graph/zero-padding.js';

/** What a layer computes, as a node of the model. */
export interface Value {
  readonly node: string;
  /** The shape in the source, without the batch axis. */
  readonly shape: Shape;
  /** Whether this is an image [channels, height, width] whose node is [height, width, channels]. */
  readonly channelsFirst: boolean;
  /** Zeros around the node that belong to the value and are not in the model yet: a convolution takes them as padding. */
  readonly zeros?: Zeros;
  /** The layer whose softmax belongs to the value and is not in the model: it is left out at the end. */
  readonly softmax?: string;
}
