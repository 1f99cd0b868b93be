/** One linear inequality over the outputs of a network: coefficients . outputs <= bound. */
export interface LinearInequality {
  /** One finite number per output. */
  readonly coefficients: Float64Array;
  /** A finite number. */
  readonly bound: number;
}

/** One way to violate a property: an input of a box whose outputs satisfy every inequality. */
export interface ViolationCase {
  /** Smallest value of each input, in the C order of the network's input tensor without its batch axis. */
  readonly lower: Float64Array;
  /** Largest value of each input; at least `lower`. Cases of one property may share the arrays of a box. */
  readonly upper: Float64Array;
  /** All of them must be satisfied; with an empty list every input of the box is a violation. */
  readonly outputs: readonly LinearInequality[];
}

/**
 * What a network must not do, as data: the property holds when no case is satisfied by any input of its box and the outputs for that
 * input. Without cases it holds for every network.
 */
export interface Property {
  /** Number of inputs. */
  readonly inputs: number;
  /** Number of outputs. */
  readonly outputs: number;
  /** The property is violated where at least one of them is satisfied. */
  readonly cases: readonly ViolationCase[];
}
