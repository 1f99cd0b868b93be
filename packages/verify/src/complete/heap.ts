/** A queue of items with keys. */
export interface Queue<T> {
  /** How many items {@link Queue.pop} will give. */
  readonly size: number;
  /** The smallest key of all items; infinity when there is none. */
  readonly least: number;
  push(key: number, item: T): void;
  pop(): T | undefined;
  /** All items with their keys, in any order. */
  entries(): readonly { readonly key: number; readonly item: T }[];
}

/** A priority queue, empty: `pop` gives the item of the smallest key. */
export function createHeap<T>(): Queue<T> {
  const entries: { readonly key: number; readonly item: T }[] = [];
  const swap = (i: number, j: number) => {
    [entries[i], entries[j]] = [entries[j]!, entries[i]!];
  };
  return {
    get size() {
      return entries.length;
    },
    get least() {
      return entries[0]?.key ?? Number.POSITIVE_INFINITY;
    },
    entries: () => entries,
    push(key, item) {
      entries.push({ key, item });
      for (let i = entries.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (entries[parent]!.key <= entries[i]!.key) return;
        swap(i, parent);
        i = parent;
      }
    },
    pop() {
      const first = entries[0];
      const last = entries.pop();
      if (entries.length === 0 || last === undefined) return first?.item;
      entries[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < entries.length && entries[child]!.key < entries[least]!.key) least = child;
        }
        if (least === i) return first!.item;
        swap(i, least);
        i = least;
      }
    },
  };
}
