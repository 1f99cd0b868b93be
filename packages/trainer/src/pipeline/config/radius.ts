/** Formats a radius: `8/255` for 0.03137254901960784, `0.1` for 0.1. */
export function radiusText(radius: number): string {
  const short = String(Number(radius.toPrecision(4)));
  const k = Math.round(255 * radius);
  const isFraction = Number(short) !== radius && k > 0 && Math.abs(255 * radius - k) < 1e-9 * k;
  return isFraction ? `${k}/255` : String(radius);
}
