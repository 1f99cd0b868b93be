import { createRng } from '@cert/core';
import type { SumOrder } from './execution.js';
import { fma, SMALLEST_NORMAL } from './float32.js';

/**
 * A sum of products in some order, as instructions for a stack: `2 i` pushes the product of term i, `2 i + 1` adds it to the top of the
 * stack, {@link ADD} replaces the two numbers on top by their sum. Any grouping can be written in this way.
 */
export type SumPlan = Int32Array;

const ADD = -1;

/** Emits a plan; the result of the last instruction is the sum. */
class Writer {
  readonly #code: number[] = [];
  readonly #seedOf: (n: number) => number;
  constructor(seedOf: (n: number) => number) {
    this.#seedOf = seedOf;
  }

  chain(terms: readonly number[]): this {
    terms.forEach((term, i) => void this.#code.push(2 * term + (i === 0 ? 0 : 1)));
    return this;
  }

  /** Splits a list in two, over and over; a half of one term is added to the other as a product. */
  tree(terms: readonly number[]): this {
    if (terms.length < 3) return this.chain(terms);
    const at = this.#seedOf(terms.length);
    const [left, right] = [terms.slice(0, at), terms.slice(at)];
    if (left.length === 1) return this.tree(right).add(left[0]!);
    this.tree(left);
    return right.length === 1 ? this.add(right[0]!) : this.tree(right).join();
  }

  add(term: number): this {
    this.#code.push(2 * term + 1);
    return this;
  }

  join(): this {
    this.#code.push(ADD);
    return this;
  }

  /** Every list as a chain, then the chains pairwise. */
  lanes(lists: readonly (readonly number[])[]): this {
    if (lists.length === 1) return this.chain(lists[0]!);
    const half = lists.length >> 1;
    return this.lanes(lists.slice(0, half)).lanes(lists.slice(half)).join();
  }

  finish(): SumPlan {
    return Int32Array.from(this.#code);
  }
}

const half = (n: number) => n >> 1;

/**
 * The plan of a sum of the terms `first`, 0, 1, ... `count` - 1, `last`.
 *
 * @param first terms that a sequential sum begins with; random sums have them anywhere
 * @param last terms that are added to the rest
 * @param variant random sums of the same length differ by this number
 */
export function planSum(
  order: SumOrder,
  count: number,
  {
    first = [],
    last = [],
    variant = 0,
  }: { first?: readonly number[]; last?: readonly number[]; variant?: number } = {},
): SumPlan {
  const terms = [...first, ...Array(count).keys()];
  const writer = () => {
    switch (order.kind) {
      case 'sequential':
        return new Writer(half).chain(terms);
      case 'reversed':
        return new Writer(half).chain(terms.reverse());
      case 'pairwise':
        return new Writer(half).tree(terms);
      case 'lanes': {
        const lists = Array.from({ length: order.lanes }, (_, lane) =>
          terms.filter((_, i) => i % order.lanes === lane),
        );
        return new Writer(half).lanes(lists.filter(({ length }) => length > 0));
      }
      case 'random': {
        const rng = createRng(order.seed, count, variant);
        const shuffled = Array.from(rng.permutation(terms.length), (i) => terms[i]!);
        return new Writer((n) => 1 + rng.int(n - 1)).tree(shuffled);
      }
    }
  };
  const written = writer();
  for (const term of last) written.add(term);
  return written.finish();
}

const stack = new Float64Array(1 << 16);

/**
 * The sum of x[i] * w[start + i] over the terms of a plan, in float32.
 *
 * @param fused one rounding where a product is added to a number that is there
 * @param flush results that are denormal become 0
 */
export function evaluateSum(
  plan: SumPlan,
  x: Float64Array,
  w: Float64Array,
  start: number,
  fused: boolean,
  flush: boolean,
): number {
  let top = 0;
  let depth = 0;
  for (let k = 0; k < plan.length; k++) {
    const code = plan[k]!;
    if (code === ADD) {
      depth--;
      top = Math.fround(stack[depth]! + top);
    } else {
      const i = code >> 1;
      const a = x[i]!;
      const b = w[start + i]!;
      if ((code & 1) === 0) {
        stack[depth] = top;
        depth++;
        top = Math.fround(a * b);
      } else if (fused) {
        top = fma(a, b, top);
      } else {
        let product = Math.fround(a * b);
        if (flush && product < SMALLEST_NORMAL && product > -SMALLEST_NORMAL) product = 0;
        top = Math.fround(top + product);
      }
    }
    if (flush && top < SMALLEST_NORMAL && top > -SMALLEST_NORMAL) top = 0;
  }
  return top;
}
