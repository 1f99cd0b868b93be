/** A time as h:mm:ss. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** A radius as people write it: 8/255 for 0.0313..., 0.1 for 0.1; others with so many significant digits. */
export function radius(epsilon: number, digits = 4): string {
  const rounded = String(Number(epsilon.toPrecision(digits)));
  if (Number(rounded) === epsilon) return rounded;
  const parts = Math.round(255 * epsilon);
  return parts > 0 && Math.abs(255 * epsilon - parts) < 1e-9 * parts ? `${parts}/255` : rounded;
}

/** The same with its decimals behind a fraction: 8/255 (0.0314). */
export function radiusInFull(epsilon: number): string {
  const text = radius(epsilon);
  return text.includes('/') ? `${text} (${Number(epsilon.toPrecision(3))})` : text;
}
