import { CertError, type CertErrorCode, type Network, type Tensor } from '@cert/core';

/** One check of a suite, for any test framework: `for (const c of suite) it(c.name, c.run)`. */
export interface ConformanceCase {
  /** The plug-in, what is checked, and the net that it is checked on. */
  readonly name: string;
  /**
   * Runs the check.
   *
   * @throws CertError `unsound`, `broken-contract`, `value-read` or `shape-mismatch`, which says which model, node, element and values,
   * and what the rule is
   */
  run(): Promise<void>;
}

/**
 * The plain forward pass that bounds are measured against: logits [batch, classes] and the value at every node.
 * `naturalPass` of `@cert/bounds` is one.
 */
export type Forward = (
  network: Network,
  images: Tensor,
) => { readonly output: Tensor; readonly at: { readonly [node: string]: Tensor } };

/** A failure of the plug-in under test. `who` is its name, `where` the model, node, element, box. */
export function failure(
  code: CertErrorCode,
  who: string,
  where: string,
  what: string,
  cure: string,
  cause?: unknown,
): CertError {
  return new CertError(code, `${who}, ${where}: ${what}`, cure, cause === undefined ? undefined : { cause });
}

/** Runs the plug-in; what it throws that is not a `CertError` becomes one that says where it happened. */
export function guarded<T>(who: string, where: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof CertError) throw error;
    throw failure(
      'broken-contract',
      who,
      where,
      `it threw "${error instanceof Error ? error.message : String(error)}".`,
      'A plug-in must work on every well-formed model and batch, including empty batches, and every op in it must have a gradient. Comparisons have none: use mask(() => tf.greater(x, 0)) of @cert/core.',
      error,
    );
  }
}
