/** Why a certificate is refused. Every check ends in this error or passes; no check ends in "probably". */
class Refused extends Error {
  override readonly name = 'Refused';
}

/** Throws {@link Refused} with the reason unless the condition holds. */
export function demand(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refused(reason);
}

/** What went wrong, in words. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Does a step; the reason why it fails begins with the place. */
export function within<T>(where: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new Refused(`${where}: ${reasonOf(error)}`);
  }
}
