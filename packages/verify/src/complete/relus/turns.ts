import { createHeap, type Queue } from '../heap.js';

/**
 * A queue, empty, that serves cases in turns: the case that was served least often comes next, with its item of the smallest key. A case is served at most
 * `most` times; what is left of it then stays in the queue.
 */
export function createTurns<T extends { readonly of: number }>(most: number): Queue<T> {
  const cases = new Map<number, { readonly items: Queue<T>; served: number }>();
  const waiting = () => [...cases.values()].filter(({ items, served }) => items.size > 0 && served < most);
  return {
    get size() {
      return waiting().reduce((sum, { items, served }) => sum + Math.min(items.size, most - served), 0);
    },
    get least() {
      return [...cases.values()].reduce((least, { items }) => Math.min(least, items.least), Number.POSITIVE_INFINITY);
    },
    entries: () => [...cases.values()].flatMap(({ items }) => items.entries()),
    push(key, item) {
      const { items, served } = cases.get(item.of) ?? { items: createHeap<T>(), served: 0 };
      items.push(key, item);
      if (!cases.has(item.of)) cases.set(item.of, { items, served });
    },
    pop() {
      const [first, ...others] = waiting();
      if (first === undefined) return undefined;
      const next = others.reduce((a, b) => (b.served < a.served ? b : a), first);
      next.served++;
      return next.items.pop();
    },
  };
}
