/** What is known at every radius, on one line: verified, unknown, attacked. */
import { radiusText, verifiedRadiusText } from '../numbers.js';
import { label, picture, tag } from '../svg.js';
import { type CertifiedRadius, methodName } from './verdict.js';

/** What is known of an image at all radii. */
export interface KnownRadii {
  /** The certified radius of each method; null while it is searched for. */
  readonly certified: readonly CertifiedRadius[];
  /** The smallest radius at which an attack succeeded; null if none did. */
  readonly attacked: number | null;
}

const [WIDTH, LEFT, RIGHT, BAR] = [360, 8, 8, 14];

/** Draws the line from 0 to `most`, and the current radius. */
export function radiusRuler({ certified, attacked }: KnownRadii, epsilon: number, most: number): string {
  const x = (radius: number) => LEFT + (Math.min(most, radius) / most) * (WIDTH - LEFT - RIGHT);
  const [top, middle] = [6, 6 + BAR];
  const bars = certified.map(({ radius }, i) =>
    tag('rect', { class: `method-${i}`, x: LEFT, y: top + i * BAR, width: x(radius ?? 0) - LEFT, height: BAR - 2 }),
  );
  const broken =
    attacked === null
      ? []
      : [
          tag('rect', { class: 'broken', x: x(attacked), y: top, width: x(most) - x(attacked), height: 2 * BAR - 2 }),
          label(x(attacked) + 5, middle + 4, '✗', { class: 'on-broken' }),
        ];
  // Between what is proved and what is broken.
  const gap = [Math.max(...certified.map(({ radius }) => radius ?? 0)), attacked ?? most] as const;
  const searching = certified.some(({ radius }) => radius === null);
  const unknown =
    searching || x(gap[1]) - x(gap[0]) < 16
      ? []
      : [label((x(gap[0]) + x(gap[1])) / 2, middle + 4, '?', { class: 'on-unknown', 'text-anchor': 'middle' })];
  const here = x(epsilon);
  const labels = [0, 0.25, 0.5, 0.75, 1].map((part) =>
    label(x(part * most), top + 2 * BAR + 14, radiusText(part * most), {
      class: 'tick',
      'text-anchor': anchorAt(part),
    }),
  );
  return picture(WIDTH, top + 2 * BAR + 18, rulerText({ certified, attacked }), [
    tag('rect', { class: 'unknown', x: LEFT, y: top, width: x(most) - LEFT, height: 2 * BAR - 2 }),
    ...bars,
    ...broken,
    ...unknown,
    tag('path', { class: 'here', d: `M${here} ${top - 6}V${top + 2 * BAR + 3}` }),
    tag('path', { class: 'here', d: `M${here - 4} ${top - 6}h8l-4 6z` }),
    ...labels,
  ]);
}

const anchorAt = (part: number) => (part === 0 ? 'start' : part === 1 ? 'end' : 'middle');

/** The same in words. */
export function rulerText({ certified, attacked }: KnownRadii): string {
  const parts = certified.map(
    ({ method, radius }) => `${methodName(method)} ${radius === null ? '…' : verifiedRadiusText(radius)}`,
  );
  const attack = attacked === null ? '' : `; an attack succeeds at ${radiusText(attacked)}`;
  return `Certified radius: ${parts.join(', ')}${attack}`;
}
