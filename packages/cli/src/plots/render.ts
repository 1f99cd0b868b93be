import type { Spec } from 'vega';

/** What stands over a figure. */
export interface Heading {
  readonly title: string;
  /** Lines of text. */
  readonly subtitle: readonly string[];
}

/** Colours that people with any colour vision tell apart on white (Okabe and Ito). */
export const COLORS = ['#d55e00', '#e69f00', '#009e73', '#0072b2', '#cc79a7', '#56b4e9', '#000000'];

/** Text sizes and colours that read well on white, shared by all figures. */
export const CONFIG: NonNullable<Spec['config']> = {
  axis: { labelFontSize: 11, titleFontSize: 12, titlePadding: 8, gridColor: '#e5e5e5', labelColor: '#222' },
  legend: { labelFontSize: 12, titleFontSize: 12, labelColor: '#222' },
  title: { fontSize: 14, subtitleFontSize: 12, subtitlePadding: 4, offset: 14, subtitleColor: '#444' },
};

/** Draws a figure: the text of an SVG file. The same specification gives the same text. */
export async function renderSvg(spec: Spec): Promise<string> {
  // On demand: plotting takes longer to load than the rest of the command.
  const { parse, View } = await import('vega');
  const view = new View(parse(spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}
