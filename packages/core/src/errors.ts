/** What went wrong, as a stable identifier that programs can switch on. */
export type CertErrorCode =
  | 'bad-argument' // a value outside its domain: negative epsilon, unknown name, wrong type
  | 'bad-model' // a model graph that is not well formed
  | 'shape-mismatch' // tensors, datasets or parameters whose shapes do not fit
  | 'missing-rule' // a method has no rule for an op
  | 'unsupported-kernel' // a compiled function called a kernel that cannot be lowered
  | 'value-read' // a compiled function read a tensor's value
  | 'missing-package' // an optional package is not installed
  | 'missing-device' // a device that is not there
  | 'bad-file' // a file that is missing, truncated or corrupt
  | 'bad-data' // labels out of range, images outside the data range
  | 'no-network' // a download that failed
  | 'run-exists' // an output folder that already holds a run
  | 'not-finite' // a loss or bound that is NaN or infinite
  | 'unsound' // a conformance suite caught a method that is not sound
  | 'broken-contract'; // a conformance suite caught a plug-in that leaks, depends on state or has a wrong gradient

/**
 * The one error class of the project: what was got and where (`message` starts with it), and the cure (`message` ends with it).
 * A user's mistake is a `CertError`; anything else that is thrown is a defect of the code.
 */
export class CertError extends Error {
  override readonly name = 'CertError';

  constructor(
    readonly code: CertErrorCode,
    /** What was got, and where. */
    readonly problem: string,
    /** What to do about it. */
    readonly cure: string,
    options?: ErrorOptions,
  ) {
    super(`${problem}\n${cure}`, options);
  }
}
