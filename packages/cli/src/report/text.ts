/** Whether inputs of a shape can be drawn: [height, width, channels], gray or RGB. */
export const isDrawable = (shape: readonly number[]): boolean =>
  shape.length === 3 && (shape[2] === 1 || shape[2] === 3);

/** A count with separators of thousands. */
export const count = (n: number): string => n.toLocaleString('en-US');

/** A count with its noun. */
export const counted = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

/** A class as people know it: its name and number, or the number alone. */
export const className = (label: number | null, names: readonly string[] | null): string =>
  label === null ? 'no class (a logit is not finite)' : (names?.[label] ?? String(label));

/** A number with up to six significant digits, not above it: a lower bound stays one. */
export const notAbove = (x: number): string => sixDigits(x, -1);

/** A number with up to six significant digits, not below it: an upper bound stays one. */
export const notBelow = (x: number): string => sixDigits(x, 1);

function sixDigits(x: number, side: 1 | -1): string {
  const nearest = Number(x.toPrecision(6));
  if (side * (nearest - x) >= 0) return String(nearest);
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(x))) - 5);
  return String(Number((nearest + side * unit).toPrecision(6)));
}
