/** Mean interval widths of all layers, of both networks, on a logarithmic axis. */
import { widthText } from '../numbers.js';
import { label, picture, tag } from '../svg.js';
import type { LayerWidth } from './network.js';

const [ROW, LEFT, RIGHT] = [24, 76, 44];
/** The axis, as powers of 10. */
const [LEAST, MOST] = [-3, 4];

/** Draws a pair of bars for each layer. @param total width of the chart in pixels */
export function widthChart(
  networks: readonly (readonly LayerWidth[])[],
  names: readonly string[],
  total: number,
): string {
  const rows = networks[0] ?? [];
  const bottom = 4 + rows.length * ROW;
  const x = (power: number) => LEFT + ((power - LEAST) / (MOST - LEAST)) * (total - LEFT - RIGHT);
  const length = (width: number) => {
    if (Number.isNaN(width)) return MOST;
    return Math.min(MOST, Math.max(LEAST, Math.log10(width)));
  };
  const powers = Array.from({ length: MOST - LEAST + 1 }, (_, i) => LEAST + i);
  const axis = powers.flatMap((power) => [
    tag('line', { class: 'grid', x1: x(power), x2: x(power), y1: 4, y2: bottom }),
    label(x(power), bottom + 12, power < 0 || power > 3 ? `1e${power}` : String(10 ** power), {
      class: 'tick',
      'text-anchor': 'middle',
    }),
  ]);
  const bars = rows.flatMap(({ node }, i) => {
    const top = 4 + i * ROW;
    return [
      label(LEFT - 6, top + ROW / 2 + 4, node, { class: 'row', 'text-anchor': 'end' }),
      ...networks.flatMap((widths, k) => {
        const width = widths[i]?.width ?? Number.NaN;
        const to = x(length(width));
        return [
          tag('rect', { class: `network-${k}`, x: LEFT, y: top + 2 + k * 10, width: to - LEFT, height: 9 }),
          label(to + 4, top + 10 + k * 10, widthText(width), { class: 'tick' }),
        ];
      }),
    ];
  });
  const last = networks.map((widths, k) => `${names[k]} ${widthText(widths.at(-1)?.width ?? Number.NaN)}`);
  return picture(total, bottom + 16, `Mean interval width at the logits: ${last.join(', ')}`, [...axis, ...bars]);
}
