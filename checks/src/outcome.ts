/** A statement that printed, and the comment behind it. */
export interface Documented {
  readonly line: number;
  readonly comment: string;
  readonly printed: string;
}

/** What came of running a program. Plain data. */
export interface Outcome {
  /** What each call printed. */
  readonly printed: readonly string[];
  readonly documented: readonly Documented[];
  /** What it threw, with the stack; null when it ran to its end. */
  readonly error: string | null;
}
