/** How the page writes numbers. */

/** A logit or a margin: `-3.25`, `-12,345`; in words where it is not finite. */
export function valueText(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'no finite bound';
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace('-', '−');
}

/** A radius, with three decimals. */
export const radiusText = (radius: number): string => radius.toFixed(3);

/** A radius that was verified: rounded down, so that what is printed is verified too. */
export const verifiedRadiusText = (radius: number): string => (Math.floor(radius * 1000) / 1000).toFixed(3);

/** A width over many orders of magnitude: `0.12`, `34`, `5,600`. */
export const widthText = (width: number): string =>
  Number.isFinite(width)
    ? Number(width.toPrecision(2)).toLocaleString('en', { maximumFractionDigits: 6 })
    : 'not finite';

/** A part of a whole: `17 of 20 (85 %)`. */
export const shareText = (count: number, total: number): string =>
  `${count} of ${total} (${Math.round((100 * count) / total)} %)`;
