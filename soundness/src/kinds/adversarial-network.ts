import type { Ball } from '../box.js';
import type { Execution } from '../execute/execution.js';
import type { HostNetwork } from '../network.js';

/** A network, a ball, and a point of the ball that the network misclassifies under one float32 execution. Plain data. */
export interface AdversarialNetwork extends HostNetwork, Ball {
  /** The kind, such as `order-of-sums`. */
  readonly name: string;
  /** The class that would have to be proved. */
  readonly label: number;
  readonly counterexample: {
    /** Float32 numbers, in the ball. */
    readonly point: Float32Array;
    /** Under it logit_label <= another logit at the point. */
    readonly execution: Execution;
  };
  /**
   * Whether the point is misclassified over the real numbers too (a margin of 0 included). If so, a proof at level `real` is wrong as well; if
   * not, only one at level `deployed`.
   */
  readonly refutesReal: boolean;
}
