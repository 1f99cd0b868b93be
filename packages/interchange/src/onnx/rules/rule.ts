import type { Step } from '../step.js';
import type { Value } from '../values.js';

/** How an op is imported. */
export interface Rule {
  /** Attributes that it reads, or that cannot change what it computes; any other is refused. */
  readonly attributes: readonly string[];
  /** The least and the largest number of inputs. */
  readonly inputs: readonly [least: number, most: number];
  /** Its first output. Others must not be read. */
  readonly apply: (step: Step) => Value;
}

/** Rules by the name of their op. */
export type Rules = { readonly [op: string]: Rule };
