/** The windows that a convolution or a pooling moves over an image, and what may be said of their attributes. */
import type { Extent, Padding } from './extent.js';
import type { NodeOf, Shape } from './model.js';

export type { Extent, Padding } from './extent.js';

/** The windows of a convolution or pooling with all defaults resolved. */
export interface Window {
  /** Height and width in input rows and columns. */
  readonly size: readonly [number, number];
  /** Rows and columns from one window to the next. */
  readonly stride: readonly [number, number];
  /** Padding at the top, bottom, left and right. */
  readonly padding: readonly [number, number, number, number];
  /** Rows and columns between adjacent elements of a window; 1 for a window without gaps. */
  readonly dilation: readonly [number, number];
}

/** Window attributes of a node. */
export interface WindowAttrs {
  /** Default: the size of the window. */
  readonly stride?: Extent;
  /** Default 0. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: Extent;
}

const both = (extent: Extent): readonly [number, number] => (typeof extent === 'number' ? [extent, extent] : extent);

/** A size and attributes with nothing left to defaults. */
export const windowFrom = (size: Extent, { stride = size, padding = 0, dilation = 1 }: WindowAttrs): Window => ({
  size: both(size),
  stride: both(stride),
  padding: typeof padding === 'number' ? [padding, padding, padding, padding] : padding,
  dilation: both(dilation),
});

/** Returns the windows of a convolution or pooling node with all defaults resolved. */
export function windowOf(node: NodeOf<'conv2d'> | NodeOf<'avgPool'> | NodeOf<'maxPool'>): Window {
  if (node.op !== 'conv2d') return windowFrom(node.attrs.size, node.attrs);
  const [height, width] = node.params.kernel as readonly [number, number, number, number];
  return windowFrom([height, width], node.attrs);
}

/** Returns the height and width that a window covers, including gaps. */
export const reachOf = ({ size, dilation }: Window): readonly [number, number] => [
  dilation[0] * (size[0] - 1) + 1,
  dilation[1] * (size[1] - 1) + 1,
];

/** Returns the number of windows in an image [height, width, ...], by rows and columns; less than 1 if the image is too small. */
export function placesOf(window: Window, [height, width]: Shape): readonly [number, number] {
  const { stride, padding } = window;
  const reach = reachOf(window);
  return [
    Math.floor((height! + padding[0] + padding[1] - reach[0]) / stride[0]) + 1,
    Math.floor((width! + padding[2] + padding[3] - reach[1]) / stride[1]) + 1,
  ];
}

const isCount = (n: unknown, least: number): boolean => Number.isSafeInteger(n) && (n as number) >= least;

/** Whether a value is one whole number from `least`, or `length` of them. */
export const isCounts = (value: unknown, length: number, least: number): boolean =>
  isCount(value, least) || (Array.isArray(value) && value.length === length && value.every((n) => isCount(n, least)));

/** What is wrong with a window, whatever the image; undefined when nothing is. */
export function misfitOfWindow({ size, stride, padding, dilation }: Window): string | undefined {
  for (const [name, values, count, least] of [
    ['window', size, 2, 1],
    ['stride', stride, 2, 1],
    ['dilation', dilation, 2, 1],
    ['padding', padding, 4, 0],
  ] as const) {
    if (isCounts(values, count, least)) continue;
    return `its ${name} is [${values}] instead of ${count === 4 ? 'one or four' : 'one or two'} whole numbers from ${least}`;
  }
  return undefined;
}

/** Whether a window without gaps may lie in the padding alone. */
export const mayMiss = ({ size, padding }: Window): boolean =>
  Math.max(padding[0], padding[1]) >= size[0] || Math.max(padding[2], padding[3]) >= size[1];
