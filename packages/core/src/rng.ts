import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A stream of random numbers. The same seed and labels give the same stream on every machine. */
export interface Rng {
  /** Uniform in [0, 1), in double precision. */
  uniform(): number;
  /** Normal with mean 0 and standard deviation 1. */
  normal(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** The integers 0 .. n-1 in random order. */
  permutation(n: number): Uint32Array;
}

/**
 * Returns an independent stream for a seed and any number of labels, so that adding one consumer does not change the numbers of others:
 * `createRng(seed, 'weights', 'conv1')`, `createRng(seed, 'batches', epoch)`. Not for cryptography.
 */
export function createRng(seed: number, ...labels: readonly (string | number)[]): Rng {
  const generator = xoroshiro128plus(hash([seed, ...labels].join('\u0000')));
  const uniform = () => uniformFloat64(generator);
  const int = (n: number) => uniformInt(generator, 0, n - 1);
  let spare: number | undefined;
  return {
    uniform,
    int,
    // Marsaglia's polar method: only sqrt and log, which V8 computes in software alike on every machine.
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      for (;;) {
        const [u, v] = [2 * uniform() - 1, 2 * uniform() - 1];
        const s = u * u + v * v;
        if (s > 0 && s < 1) {
          const scale = Math.sqrt((-2 * Math.log(s)) / s);
          spare = v * scale;
          return u * scale;
        }
      }
    },
    permutation(n) {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = int(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
  };
}

/** FNV-1a over UTF-16 code units with a final avalanche: neighbouring seeds must not give neighbouring states. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
