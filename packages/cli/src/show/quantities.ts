import { duration } from '@cert/trainer/pipeline';

/** The time of a part of the work, which may be short: 0.26 s, 12.3 s, and from a minute on h:mm:ss. */
export function shortTime(seconds: number): string {
  if (seconds >= 59.95) return duration(seconds);
  return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
}

/** A radius as people write it: 8/255 for 0.0313..., 0.1 for 0.1; others with the given number of significant digits. */
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
