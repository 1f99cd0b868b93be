/** Verified points over the epochs. */
import { label, picture, tag } from '../svg.js';

/** One epoch: the number of verified points of each network. */
export interface Epoch {
  readonly epoch: number;
  readonly verified: readonly number[];
}

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [200, 40, 10, 8, 34];

/**
 * Draws one line for each network.
 *
 * @param options.count how many points there are
 * @param options.epochs the length of training
 * @param options.width of the chart in pixels
 */
export function historyChart(
  history: readonly Epoch[],
  { count, epochs, width }: { readonly count: number; readonly epochs: number; readonly width: number },
): string {
  const x = (epoch: number) => LEFT + (epoch / epochs) * (width - LEFT - RIGHT);
  const y = (part: number) => TOP + (1 - part) * (HEIGHT - TOP - BOTTOM);
  const axis = [0, 0.25, 0.5, 0.75, 1].flatMap((part) => [
    tag('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(part), y2: y(part) }),
    label(LEFT - 6, y(part) + 4, `${100 * part} %`, { class: 'tick', 'text-anchor': 'end' }),
    label(x(part * epochs), HEIGHT - 18, String(part * epochs), { class: 'tick', 'text-anchor': 'middle' }),
  ]);
  const lines = (history[0]?.verified ?? []).map((_, k) => {
    const path = history.map(({ epoch, verified }) => `${x(epoch).toFixed(1)} ${y(verified[k]! / count).toFixed(1)}`);
    return tag('path', { class: `history-${k}`, d: `M${path.join('L')}` });
  });
  const last = history.at(-1);
  const description = last
    ? `After epoch ${last.epoch}: ${last.verified[0]} of ${count} points verified with certified training, ${last.verified[1]} with plain training`
    : 'No epoch yet';
  const title = label(width / 2, HEIGHT - 4, 'epoch', { class: 'tick', 'text-anchor': 'middle' });
  return picture(width, HEIGHT, description, [...axis, title, ...lines]);
}
