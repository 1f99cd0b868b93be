/** One linear inequality over the outputs of a network: coefficients . outputs <= bound. */
export interface LinearInequality {
  /** One finite number per output. */
  readonly coefficients: Float64Array;
  /** A finite number. */
  readonly bound: number;
}

/** One way to violate a property: an input in the box whose outputs satisfy all inequalities. */
export interface ViolationCase {
  /** Smallest value of each input, in the C order of the network's input tensor without its batch axis. */
  readonly lower: Float64Array;
  /** Largest value of each input, >= `lower`. Cases of a property may share these arrays. */
  readonly upper: Float64Array;
  /** Inequalities that must all hold; if empty, every input of the box is a violation. */
  readonly outputs: readonly LinearInequality[];
}

/**
 * A property of a network as a list of violations: the property holds if no input satisfies any case. A property without cases holds for
 * every network.
 */
export interface Property {
  /** Number of inputs. */
  readonly inputs: number;
  /** Number of outputs. */
  readonly outputs: number;
  /** The property is violated if at least one case is satisfied. */
  readonly cases: readonly ViolationCase[];
}
