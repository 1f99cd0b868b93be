/** Numbers from text, "0.1" and "8/255", which are exact, as float64 numbers on either side. */
import { demand } from './refused.js';

/**
 * lower <= the number <= upper, for a decimal without exponent or a fraction of whole numbers; for 0 both are 0. Numerator, denominator and quotient
 * are each rounded once, by at most 2^-53 of themselves; 2^-50 is more than all of that and the rounding of the ends.
 */
export function enclose(text: string, where: string) {
  const [, whole, decimals = '', denominator = '1'] = /^(-?\d{1,40})(?:\.(\d{1,40})|\/(\d{1,40}))?$/.exec(text) ?? [];
  demand(whole !== undefined, `${where} is "${text.slice(0, 60)}", which is neither a decimal nor a fraction`);
  demand(Number(denominator) > 0, `${where} divides by 0`);
  const near = Number(`${whole}${decimals}`) / Number(`${denominator}${'0'.repeat(decimals.length)}`);
  const slack = Math.abs(near) * 2 ** -50;
  return { text, lower: near - slack, upper: near + slack };
}
