/** Why a certificate is refused. Every check ends in this error or passes; no check ends in "probably". */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** Throws {@link Refused} with the reason unless the condition holds. */
export function demand(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refused(reason);
}
