import { type Pair, reach, samePadding } from '../../graph/windows.js';
import { badNode, unsupported } from '../attributes.js';
import type { Step } from '../step.js';

/** How a window moves over an image. */
export interface Window {
  readonly size: Pair;
  readonly stride: Pair;
  /** Added at the top, bottom, left and right. */
  readonly padding: readonly [number, number, number, number];
  readonly dilation: Pair;
}

/** Lengths that no network has: sums of them would lose digits. */
const MOST = 2 ** 24;

function pair(step: Step, name: string, otherwise: Pair): Pair {
  const given = step.attributes.ints(name);
  if (given === undefined || given.length === 0) return otherwise;
  if (given.length !== 2 || given.some((n) => n < 1 || n > MOST)) {
    throw badNode(step.node, `whose attribute "${name}" is [${given.slice(0, 8)}]`);
  }
  return [given[0]!, given[1]!];
}

/**
 * The window of a convolution or a pooling on an image of some height and width.
 *
 * @param kernel the size where weights give it; the attribute must agree
 */
export function windowOf(step: Step, image: Pair, kernel?: Pair): Window {
  const { node } = step;
  const size = pair(step, 'kernel_shape', kernel ?? [0, 0]);
  if (size[0] < 1 || (kernel !== undefined && (size[0] !== kernel[0] || size[1] !== kernel[1]))) {
    throw badNode(
      node,
      `whose windows have the size [${size}]${kernel === undefined ? '' : `, its kernel [${kernel}]`}`,
    );
  }
  const [stride, dilation] = [pair(step, 'strides', [1, 1]), pair(step, 'dilations', [1, 1])];
  return { size, stride, dilation, padding: paddingOf(step, image, size, stride, dilation) };
}

function paddingOf(step: Step, image: Pair, size: Pair, stride: Pair, dilation: Pair): Window['padding'] {
  const { node, attributes } = step;
  const automatic = attributes.text('auto_pad', 'NOTSET');
  const given = attributes.ints('pads') ?? [];
  if (automatic === 'NOTSET') {
    if (given.length === 0) return [0, 0, 0, 0];
    if (given.length !== 4 || given.some((n) => n < 0 || n > MOST)) {
      throw badNode(node, `whose attribute "pads" is [${given.slice(0, 8)}]`);
    }
    // ONNX has both beginnings first.
    const [top, left, bottom, right] = given as [number, number, number, number];
    return [top, bottom, left, right];
  }
  if (given.some((n) => n !== 0)) throw badNode(node, 'which has both "pads" and "auto_pad"');
  if (automatic === 'VALID') return [0, 0, 0, 0];
  if (automatic !== 'SAME_UPPER' && automatic !== 'SAME_LOWER') {
    throw unsupported(
      node,
      `its auto_pad is "${automatic.slice(0, 40)}"`,
      'Supported: NOTSET, VALID, SAME_UPPER, SAME_LOWER.',
    );
  }
  const ends = (axis: 0 | 1): Pair => {
    const [less, more] = samePadding(image[axis], stride[axis], reach(size[axis], dilation[axis]));
    return automatic === 'SAME_UPPER' ? [less, more] : [more, less];
  };
  return [...ends(0), ...ends(1)];
}
