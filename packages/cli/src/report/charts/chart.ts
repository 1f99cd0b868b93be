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
const CONFIG: Config = {
  background: 'transparent',
  axis: {
    ...{ labelFont: FONT, titleFont: FONT },
    ...{ labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', titlePadding: 8 },
    ...{ labelColor: 'var(--soft)', titleColor: 'var(--soft)', gridColor: 'var(--line)' },
    ...{ domainColor: 'var(--line)', tickColor: 'var(--line)', labelFlush: true },
  },
};

/** Height of the plot in CSS pixels. */
const HEIGHT = 190;

/** Width before the page has measured how much there is. */
const WIDTH = 520;

/** What every figure has: its size, the style of the page, the cursor, and the series that the reader hides. */
export const frame = (about: string, { top = 4, height = HEIGHT } = {}) =>
  ({
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: about,
    width: WIDTH,
    height,
    padding: { left: 4, right: 8, top, bottom: 4 },
    autosize: { type: 'fit-x', contains: 'padding' },
    config: CONFIG,
    signals: [
      { name: 'hidden', value: [] },
      // Where the cursor is, and the place beside it that has values: the page sets it.
      {
        name: 'pointer',
        value: null,
        on: [
          { events: 'pointermove', update: "invert('x', clamp(x(), 0, width))" },
          { events: 'pointerout', update: 'null' },
        ],
      },
      { name: 'at', value: null },
    ],
  }) satisfies Spec;
