import { addRoundingsOf, gamma, roundingsOf, type SoundLevel, shiftRoundingsOf, termsOf } from '@cert/bounds';
import { CertError, INPUT, type Node, type NodeOf, type Shape } from '@cert/core';
import {
  type Box64,
  type Enclosure,
  type Enclosures,
  endsOf,
  fromEnds,
  magnitudeOf,
  ownError,
  UNIT,
} from './enclosure.js';
import { divisors, forward, isLayer, type Network64, type Products, sources, valuesOf, windows } from './network.js';

/** Above what gradual or flushed underflow of one float32 operation loses. */
export const UNDERFLOW = 2 ** -125;

/** Added to the scale of a batch normalization: times an error term it exceeds what flushing a folded weight to 0 changes. */
const FLUSHED_SCALE = 2 ** -60;

/** Sums of magnitudes stay below this, so that no sum of an execution reaches 2^126. */
const LARGEST = 2 ** 120;
/** Weights and scales stay below this, so that no product of them overflows. */
const LARGEST_WEIGHT = 2 ** 60;
const SMALLEST_VARIANCE = 2 ** -100;

/** Roundings that enclose a scale over all forms of a batch normalization, and a decimal constant in float32. */
const SCALE = 12;

/**
 * Interval bound propagation in float64 on the host, with the rounding of the execution (level `deployed`) and its own: a sum of n
 * products errs by at most n u / (1 - n u) of the sum of their magnitudes, in any order (Higham 2002, section 3.1). The second opinion on images for which float32 bounds are too coarse.
 *
 * @param tighten gives a tighter enclosure of a node, from those in front of it; default: the node's stays
 * @throws CertError `missing-rule` for an op that it does not know
 */
export function enclose(
  network: Network64,
  box: Box64,
  level: SoundLevel,
  tighten: (node: Node, loose: Enclosure, sofar: Omit<Enclosures, 'usable'>) => Enclosure = (_, loose) => loose,
): Enclosures {
  const { model } = network;
  const { ball } = box;
  const at = new Map<string, Enclosure>([[INPUT, asRead(fromEnds(box.lower, box.upper), level)]]);
  const shapes = new Map<string, Shape>([[INPUT, model.inputShape]]);
  for (const node of model.nodes) shapes.set(node.name, node.shape);
  let usable = [...at.get(INPUT)!.radius].every((r, i) => fits(r) && fits(at.get(INPUT)!.center[i]!));
  for (const node of model.nodes) {
    const inputs = node.inputs.map((name) => at.get(name)!);
    const inputShapes = node.inputs.map((name) => shapes.get(name)!);
    const { enclosure, size } = step(network, node, inputs, inputShapes, level);
    at.set(node.name, tighten(node, enclosure, { at, shapes, ball }));
    usable &&= size.every(fits) && enclosure.radius.every(fits);
  }
  return { at, shapes, usable, ball };
}

const fits = (x: number): boolean => Math.abs(x) < LARGEST;

/** What an execution reads: it may take denormal inputs as 0, and where only maxima follow, nothing else accounts for that. */
const asRead = ({ center, radius }: Enclosure, level: SoundLevel): Enclosure =>
  level === 'real' ? { center, radius } : { center, radius: radius.map((r) => (r + UNDERFLOW) * (1 + 4 * UNIT)) };

/** What one node can be, and the magnitudes that its sums are made of. */
interface Step {
  readonly enclosure: Enclosure;
  readonly size: Float64Array;
}

/** The relative error of an execution's n roundings. */
const executionError = (level: SoundLevel, n: number): number => (level === 'deployed' ? gamma(n) : 0);

function step(network: Network64, node: Node, inputs: Enclosure[], shapes: readonly Shape[], level: SoundLevel): Step {
  const shape = shapes[0]!;
  const [x, other] = inputs as [Enclosure, Enclosure | undefined];
  if (isLayer(node)) {
    if (valuesOf(network, node.name, 'kernel').some((w) => !(Math.abs(w) < LARGEST_WEIGHT))) return refused(node);
    return layer(forward(network, node, shape, { ...x, magnitude: magnitudeOf(x) }), {
      own: ownError(termsOf(node) + node.shape.at(-1)! * pixelsOf(node) + 8),
      execution: executionError(level, roundingsOf(network.model, node)),
      underflow: (4 * termsOf(node) + 16) * UNDERFLOW,
    });
  }
  switch (node.op) {
    case 'batchNorm':
      return normalization(network, node, x, level);
    case 'affine': {
      const [scale, shift] = [Float64Array.from(node.attrs.scale), Float64Array.from(node.attrs.shift)];
      const parts = (c: number) => Math.abs(shift[c]!) + FLUSHED_SCALE;
      return scaled(x, { scale, shift, parts, roundings: shiftRoundingsOf(network.model, node) }, level);
    }
    case 'relu': {
      const { lower, upper } = endsOf(x);
      const enclosure = fromEnds(
        lower.map((l) => Math.max(l, 0)),
        upper.map((u) => Math.max(u, 0)),
      );
      return { enclosure, size: upper };
    }
    case 'add': {
      const [a, b] = [magnitudeOf(x), magnitudeOf(other!)];
      const magnitude = a.map((m, i) => m + b[i]!);
      const products = {
        center: x.center.map((c, i) => c + other!.center[i]!),
        radius: x.radius.map((r, i) => r + other!.radius[i]!),
        magnitude,
      };
      const execution = executionError(level, addRoundingsOf(network.model, node));
      return layer(products, { own: ownError(8), execution, underflow: UNDERFLOW });
    }
    case 'leakyRelu':
      return leaky(node, x, level);
    case 'maxPool':
      return maxima(node, x, shape);
    case 'flatten':
    case 'reshape':
      return { enclosure: { center: x.center, radius: x.radius }, size: x.radius };
    case 'transpose':
    case 'concat': {
      const from = sources(node, shapes);
      const pick = (part: 'center' | 'radius') => Float64Array.from(from, ([input, i]) => inputs[input]![part][i]!);
      const enclosure = { center: pick('center'), radius: pick('radius') };
      return { enclosure, size: enclosure.radius };
    }
    case 'avgPool':
    case 'globalAvgPool':
      return average(node, x, shape, level);
    default:
      throw noBounds(node);
  }
}

/** The error for an op that float64 knows nothing of. */
export const noBounds = ({ op, name }: Pick<Node, 'op' | 'name'>): CertError =>
  new CertError(
    'missing-rule',
    `Float64 bounds do not support the op "${op}" (node "${name}").`,
    'Verify this model with --arithmetic nearest.',
  );

/** Pixels of a kernel: how often an input number takes part in one filter. */
const pixelsOf = ({ op, params }: NodeOf<'conv2d'> | NodeOf<'dense'>): number =>
  op === 'conv2d' ? params.kernel[0]! * params.kernel[1]! : 1;

function refused({ shape }: Node): Step {
  const nothing = new Float64Array(shape.reduce((a, b) => a * b)).fill(Number.NaN);
  return { enclosure: { center: nothing, radius: nothing }, size: nothing };
}

/** A sum of products from its parts. The error covers what our own coefficients err on the way back, too. */
function layer(
  { center, radius, magnitude }: Products,
  { own, execution, underflow }: { readonly own: number; readonly execution: number; readonly underflow: number },
): Step {
  const error = magnitude.map((m) => (m * (execution + own) + underflow) * (1 + own));
  const total = radius.map((r, i) => (r + error[i]!) * (1 + own));
  return { enclosure: { center, radius: total, error }, size: magnitude };
}

interface Scaling {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** The magnitudes that the shift of a channel is the sum of. */
  readonly parts: (channel: number) => number;
  /** Roundings of an execution between these and the result. */
  readonly roundings: number;
}

function scaled(x: Enclosure, { scale, shift, parts, roundings }: Scaling, level: SoundLevel): Step {
  const channels = scale.length;
  const own = ownError(2 * SCALE);
  const perInput = executionError(level, SCALE) + own;
  const perShift = executionError(level, SCALE + roundings) + own;
  const input = magnitudeOf(x);
  const size = new Float64Array(input.length);
  const error = input.map((m, i) => {
    const c = i % channels;
    const [ofInput, ofShift] = [(Math.abs(scale[c]!) + FLUSHED_SCALE) * m, parts(c)];
    size[i] = Math.abs(scale[c]!) < LARGEST_WEIGHT ? ofInput + ofShift : Number.NaN;
    // What flushing a folded weight changes is less than this share of the radius.
    const flushed = FLUSHED_SCALE * x.radius[i]!;
    return (ofInput * perInput + ofShift * perShift + flushed + 16 * UNDERFLOW) * (1 + own);
  });
  const center = x.center.map((value, i) => value * scale[i % channels]! + shift[i % channels]!);
  const radius = x.radius.map((r, i) => (r * Math.abs(scale[i % channels]!) + error[i]!) * (1 + own));
  return { enclosure: { center, radius, error, scaling: { scale, shift } }, size };
}

function normalization(network: Network64, node: NodeOf<'batchNorm'>, x: Enclosure, level: SoundLevel): Step {
  const [factor, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map((name) =>
    valuesOf(network, node.name, name),
  );
  const scale = Float64Array.from(factor!, (g, c) => {
    const [v, sum] = [variance![c]!, variance![c]! + node.attrs.epsilon];
    return v >= 0 && sum >= SMALLEST_VARIANCE && sum < LARGEST ? g / Math.sqrt(sum) : Number.NaN;
  });
  const shift = scale.map((s, c) => beta![c]! - mean![c]! * s);
  const parts = (c: number) => Math.abs(beta![c]!) + (Math.abs(scale[c]!) + FLUSHED_SCALE) * Math.abs(mean![c]!);
  return scaled(x, { scale, shift, parts, roundings: shiftRoundingsOf(network.model, node) }, level);
}

/** x where x >= 0, slope x elsewhere: an execution rounds the slope and the product, and may flush both. */
function leaky({ attrs: { slope } }: NodeOf<'leakyRelu'>, x: Enclosure, level: SoundLevel): Step {
  const magnitude = magnitudeOf(x);
  const relative = executionError(level, 2) + ownError(4);
  const error = magnitude.map((m) => ((slope + FLUSHED_SCALE) * m * relative + UNDERFLOW) * (1 + ownError(4)));
  const { lower, upper } = endsOf(x);
  const value = (end: number) => (end >= 0 ? end : slope * end);
  const { center, radius } = fromEnds(lower.map(value), upper.map(value));
  const total = radius.map((r, i) => (r + error[i]!) * (1 + ownError(4)));
  return { enclosure: { center, radius: total, error }, size: magnitude };
}

/** Maxima over windows. Nothing is rounded; the error is that of the coefficients of all windows that see a pixel, on the way back. */
function maxima(node: NodeOf<'maxPool'>, x: Enclosure, shape: Shape): Step {
  const size = node.shape.reduce((a, b) => a * b);
  const least = () => new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  const [low, high, largest] = [least(), least(), new Float64Array(size)];
  const { lower, upper } = endsOf(x);
  const magnitude = magnitudeOf(x);
  const n = windows(node, shape, (output, i) => {
    // Unlike a comparison, Math.max keeps NaN.
    low[output] = Math.max(low[output]!, lower[i]!);
    high[output] = Math.max(high[output]!, upper[i]!);
    largest[output] = Math.max(largest[output]!, magnitude[i]!);
  });
  const { center, radius } = fromEnds(low, high);
  return { enclosure: { center, radius, error: largest.map((m) => m * ownError(n + 8)) }, size: largest };
}

function average(
  node: NodeOf<'avgPool'> | NodeOf<'globalAvgPool'>,
  x: Enclosure,
  shape: Shape,
  level: SoundLevel,
): Step {
  const size = node.shape.reduce((a, b) => a * b);
  const parts = { center: new Float64Array(size), radius: new Float64Array(size), magnitude: new Float64Array(size) };
  const input = magnitudeOf(x);
  const counts = divisors(node, shape);
  const n = windows(node, shape, (output, i) => {
    parts.center[output]! += x.center[i]!;
    parts.radius[output]! += x.radius[i]!;
    parts.magnitude[output]! += input[i]!;
  });
  const mean = (sums: Float64Array) => sums.map((sum, i) => sum / counts[i]!);
  return layer(
    { center: mean(parts.center), radius: mean(parts.radius), magnitude: mean(parts.magnitude) },
    {
      // Our sum, and that of the coefficients of all windows that see a pixel.
      own: ownError(2 * n + 8),
      execution: executionError(level, n + 3),
      underflow: (2 * n + 16) * UNDERFLOW,
    },
  );
}
