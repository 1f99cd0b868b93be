import { tf } from '@cert/core';

/** What TensorFlow.js remembers of a forward kernel until its gradient is taken. */
type TapeNode = ReturnType<typeof tf.engine>['state']['activeTape'][number];

/**
 * Says for profiles which kernel a gradient belongs to. TensorFlow.js calls the gradients of its kernels one after the other from a
 * single line, far from the forward pass; this labels each with the site of its forward kernel.
 */
export interface GradientSites {
  /**
   * Labels what was taped since the last call: one kernel and the copies that TensorFlow.js keeps for its gradient. To be called before
   * each kernel, with the site of the one before.
   */
  label(site: string | undefined): void;
  /** The site of the kernel whose gradient is being computed, or undefined in the forward pass and in custom gradients. */
  readonly current: string | undefined;
}

export function gradientSites(): GradientSites {
  const labelled = new WeakSet<TapeNode>();
  let current: string | undefined;

  const within = <T>(site: string | undefined, f: () => T): T => {
    const outer = current;
    current = site && `${site}, gradient`;
    try {
      return f();
    } finally {
      current = outer;
    }
  };

  return {
    get current() {
      return current;
    },
    label(site) {
      const tape = tf.engine().state.activeTape ?? [];
      for (let i = tape.length - 1; i >= 0 && !labelled.has(tape[i]!); i--) {
        const node = tape[i]!;
        labelled.add(node);
        const { gradient } = node;
        // A custom gradient is a function of the caller's own: its lines are found on the stack.
        if (gradient === undefined || tf.getGradient(node.kernelName) === undefined) continue;
        node.gradient = (dys) =>
          Object.fromEntries(
            Object.entries(within(site, () => gradient(dys))).map(([input, dx]) => [input, () => within(site, dx)]),
          );
      }
    },
  };
}
