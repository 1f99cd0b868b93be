import type { Rng } from '@cert/core';

/** In which order and grouping the terms of a sum are added. */
export type SumOrder =
  /** One after the other. */
  | { readonly kind: 'sequential' }
  /** One after the other, the last term first. */
  | { readonly kind: 'reversed' }
  /** Both halves, then their sum. */
  | { readonly kind: 'pairwise' }
  /** Like a vector unit: every `lanes`-th term in one accumulator, then the accumulators pairwise. */
  | { readonly kind: 'lanes'; readonly lanes: 4 | 8 | 16 }
  /** Random permutations with random grouping, several for each length. */
  | { readonly kind: 'random'; readonly seed: number };

/**
 * How float32 hardware and a library may evaluate a network. Plain data. The parameters and the image are float32; decimal constants
 * are rounded to float32.
 */
export interface Execution {
  /** The order of every sum of products, and of every sum of an average. */
  readonly sum: SumOrder;
  /** Whether the bias starts the sum or is added to it. */
  readonly bias: 'first' | 'last';
  /** Whether a product is added with one rounding. */
  readonly fma: boolean;
  /**
   * `gradual`: denormal numbers are kept. `flush`: results that are denormal become 0. `flush-inputs`: so do denormal operands (parameters and
   * the image).
   */
  readonly underflow: 'gradual' | 'flush' | 'flush-inputs';
  /**
   * With s = gamma / sqrt(variance + epsilon): `written` is (x - mean) * gamma / sqrt(variance + epsilon) + beta, `centered` is
   * (x - mean) * s + beta, `affine` is x * s + (beta - mean * s). `folded` and `folded-centered` multiply the layer before by s and make its bias
   * b * s + (beta - mean * s) or (b - mean) * s + beta; where no convolution or dense layer can take it, they are `affine`.
   */
  readonly batchNorm: 'written' | 'centered' | 'affine' | 'folded' | 'folded-centered';
  /**
   * An average: the sum divided by n, the sum times 1 / n, or the sum of the quotients. `rescale` divides by the places of the window, padded
   * ones included, and multiplies by what makes n of them.
   */
  readonly average: 'divide' | 'multiply' | 'divide-first' | 'rescale';
  /** Whether the slope of a leaky ReLU is rounded to float32, or only its product. */
  readonly slope: 'float32' | 'float64';
  /**
   * A residual addition: after both branches, or as the first term of the sum of the convolution or dense layer that computes one of them, as
   * runtimes fuse it.
   */
  readonly residual: 'separate' | 'fused';
}

/** Sequential sums, no fused multiply-add, gradual underflow, everything as written. */
export const PLAIN: Execution = {
  sum: { kind: 'sequential' },
  bias: 'last',
  fma: false,
  underflow: 'gradual',
  batchNorm: 'written',
  average: 'divide',
  slope: 'float32',
  residual: 'separate',
};

const BATCH_NORM = ['written', 'centered', 'affine', 'folded', 'folded-centered'] as const;
const AVERAGE = ['divide', 'multiply', 'divide-first', 'rescale'] as const;
const SLOPE = ['float32', 'float64'] as const;
const UNDERFLOW = ['gradual', 'flush', 'flush-inputs'] as const;
const LANES = [4, 8, 16] as const;

/** What an execution may be drawn from. */
export interface Allowed {
  /** Default all. */
  readonly underflow?: readonly Execution['underflow'][];
  /** Default both. */
  readonly residual?: readonly Execution['residual'][];
}

/** A random execution; half of them with random sums. */
export function drawExecution(
  rng: Rng,
  { underflow = UNDERFLOW, residual = ['separate', 'fused'] }: Allowed = {},
): Execution {
  const pick = <T>(values: readonly T[]): T => values[rng.int(values.length)]!;
  const fixed: readonly SumOrder[] = [
    { kind: 'sequential' },
    { kind: 'reversed' },
    { kind: 'pairwise' },
    { kind: 'lanes', lanes: pick(LANES) },
  ];
  return {
    sum: rng.int(2) === 0 ? { kind: 'random', seed: rng.int(2 ** 30) } : pick(fixed),
    bias: pick(['first', 'last']),
    fma: rng.int(2) === 0,
    underflow: pick(underflow),
    batchNorm: pick(BATCH_NORM),
    average: pick(AVERAGE),
    slope: pick(SLOPE),
    residual: pick(residual),
  };
}

/** {@link PLAIN} and its variations in one thing at a time, random sums included, then `random` random executions. */
export function listExecutions(rng: Rng, random: number, allowed: Allowed = {}): Execution[] {
  const { underflow = UNDERFLOW, residual = ['separate', 'fused'] } = allowed;
  const sums: readonly SumOrder[] = [
    { kind: 'reversed' },
    { kind: 'pairwise' },
    ...LANES.map((lanes) => ({ kind: 'lanes', lanes }) as const),
    ...Array.from({ length: 8 }, () => ({ kind: 'random', seed: rng.int(2 ** 30) }) as const),
  ];
  return [
    PLAIN,
    ...sums.map((sum) => ({ ...PLAIN, sum })),
    { ...PLAIN, bias: 'first' },
    { ...PLAIN, fma: true },
    ...BATCH_NORM.map((batchNorm) => ({ ...PLAIN, batchNorm })),
    ...AVERAGE.map((average) => ({ ...PLAIN, average })),
    ...SLOPE.map((slope) => ({ ...PLAIN, slope })),
    ...underflow.map((each) => ({ ...PLAIN, underflow: each })),
    ...residual.map((each) => ({ ...PLAIN, residual: each })),
    ...Array.from({ length: random }, () => drawExecution(rng, allowed)),
  ];
}
