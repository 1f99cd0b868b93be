/** What went wrong, as a stable identifier that programs can switch on. */
export type CertErrorCode =
  /** A value outside its domain: negative epsilon, unknown name, wrong type. */
  | 'bad-argument'
  /** A model graph that is not well formed. */
  | 'bad-model'
  /** Tensors, datasets or parameters whose shapes do not fit. */
  | 'shape-mismatch'
  /** A method has no rule for an op. */
  | 'missing-rule'
  /** A compiled function called a kernel that cannot be lowered. */
  | 'unsupported-kernel'
  /** A compiled function read a tensor's value. */
  | 'value-read'
  /** An optional package is not installed. */
  | 'missing-package'
  /** A device that is not there. */
  | 'missing-device'
  /** A file that is missing, truncated or corrupt. */
  | 'bad-file'
  /** Labels out of range, images outside the data range. */
  | 'bad-data'
  /** A download that failed. */
  | 'no-network'
  /** An output folder that already holds a run. */
  | 'run-exists'
  /** A run or a file that another process works on, or a device that this process cannot open beside another one. */
  | 'in-use'
  /** A loss or bound that is NaN or infinite. */
  | 'not-finite'
  /** A conformance suite caught a method that is not sound. */
  | 'unsound'
  /** A conformance suite caught a plug-in that leaks, depends on state or has a wrong gradient. */
  | 'broken-contract';

/**
 * Error caused by user input. `message` consists of `problem` (what was given, and where) and `cure` (what to do), one line each. Any other
 * thrown error is a bug.
 */
export class CertError extends Error {
  override readonly name = 'CertError';

  /** Creates an error whose `message` is the problem and the cure, one line each; `options.cause` is the underlying error. */
  constructor(
    /** Stable identifier of the error. */
    readonly code: CertErrorCode,
    /** What was given, and where. */
    readonly problem: string,
    /** What to do about it. */
    readonly cure: string,
    options?: ErrorOptions,
  ) {
    super(`${problem}\n${cure}`, options);
  }
}
