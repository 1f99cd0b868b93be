import type { Config, Spec } from 'vega';

/** A figure of the page: what Vega draws, and what its controls and its table are made of. Plain data. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  /** What it shows, in a sentence: the caption, and what a screen reader says of the figure. */
  readonly caption: string;
  readonly spec: Spec;
  /** Entries of the legend, which switch series off and on; colours are indices of the palette. */
  readonly legend: readonly { readonly name: string; readonly color: number; readonly dash: number }[];
  /** What the cursor tells; null for a figure without one. */
  readonly cursor: Cursor | null;
  /** The same numbers as a table. */
  readonly table: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** Places along the horizontal axis, and what is there. */
interface Cursor {
  /** Charts of the same group move their cursors together. */
  readonly group: string;
  /** Ascending. */
  readonly places: readonly { readonly x: number; readonly text: string }[];
}

/** How lines look beside their colour. */
export const DASHES: readonly (readonly number[])[] = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
];

/** Colours of the palette; `page.css` says what they are, in light and in dark. */
export const COLORS = 7;

export const colorOf = (index: number): string => `var(--series-${index % COLORS})`;

const FONT = 'system-ui, sans-serif';

/** Colours are those of the page, so that they follow its scheme, and paper's. */
export const CONFIG: Config = {
  background: 'transparent',
  axis: {
    ...{ labelFont: FONT, titleFont: FONT },
    ...{ labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', titlePadding: 8 },
    ...{ labelColor: 'var(--soft)', titleColor: 'var(--soft)', gridColor: 'var(--line)' },
    ...{ domainColor: 'var(--line)', tickColor: 'var(--line)', labelFlush: true },
  },
};

/** Height of the plot in CSS pixels. */
export const HEIGHT = 190;

/** Width before the page has measured how much there is. */
export const WIDTH = 520;
