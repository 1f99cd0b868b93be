/** Drawings as SVG, as text: all that goes into them is computed here. */

/** An element with attributes, and content that is markup already. */
export const tag = (
  name: string,
  attributes: { readonly [attribute: string]: string | number },
  content: string | readonly string[] = '',
): string => {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(String(round(value)))}"`);
  return `<${name}${written.join('')}>${typeof content === 'string' ? content : content.join('')}</${name}>`;
};

/** Text at a place. */
export const label = (
  x: number,
  y: number,
  text: string,
  attributes: { readonly [attribute: string]: string | number } = {},
): string => tag('text', { x, y, ...attributes }, escaped(text));

/** A picture with a description for those who do not see it. */
export const picture = (width: number, height: number, description: string, content: readonly string[]): string =>
  tag('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': description }, content);

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const round = (value: string | number) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value);

/** Round numbers over a range, about as many as `count`. */
export function ticks(min: number, max: number, count: number): number[] {
  const rough = (max - min) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.ceil(min / step);
  return Array.from({ length: Math.floor(max / step) - first + 1 }, (_, i) => (first + i) * step);
}
