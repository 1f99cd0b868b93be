import type { Execution } from './execution.js';
import { planSum, type SumPlan } from './sum.js';

/** Plans of sums by length, for one execution after the other. */
export interface Planner {
  begin(execution: Execution): void;
  /** The plans of sums of `count` products and a bias, or of `count` numbers; the i-th sum takes the i-th of them, over and over. */
  plans(count: number, form: SumForm): readonly SumPlan[];
}

/** Products and a bias, the same with a residual, or numbers alone. */
type SumForm = 'layer' | 'residual' | 'numbers';

/** How many random plans there are for sums of one length in one execution. */
const VARIANTS = 3;

/** A planner; `begin` comes first. */
export function createPlanner(): Planner {
  const kept = new Map<string, Map<string, readonly SumPlan[]>>();
  let current: Execution;
  let plans = new Map<string, readonly SumPlan[]>();
  return {
    begin(execution) {
      current = execution;
      const { kind } = execution.sum;
      const key = `${kind} ${execution.sum.kind === 'lanes' ? execution.sum.lanes : ''} ${execution.bias}`;
      plans = (kind === 'random' ? undefined : kept.get(key)) ?? new Map();
      if (kind !== 'random') kept.set(key, plans);
    },
    plans(count, form) {
      const key = `${form}${count}`;
      const { sum, bias } = current;
      const made =
        plans.get(key) ??
        Array.from({ length: sum.kind === 'random' ? VARIANTS : 1 }, (_, variant) =>
          planSum(sum, count, { ...endsOf(count, form, bias), variant }),
        );
      plans.set(key, made);
      return made;
    },
  };
}

function endsOf(count: number, form: SumForm, bias: Execution['bias']) {
  const residual = form === 'residual' ? [count + 1] : [];
  if (form === 'numbers') return {};
  return bias === 'first' ? { first: [...residual, count] } : { first: residual, last: [count] };
}
