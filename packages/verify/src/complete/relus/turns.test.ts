import { describe, expect, it } from 'vitest';
import { createTurns } from './turns.js';

const filled = (most: number) => {
  const queue = createTurns<{ readonly of: number; readonly name: string }>(most);
  for (const [key, of, name] of [
    [3, 0, 'a'],
    [1, 0, 'b'],
    [2, 0, 'c'],
    [9, 1, 'd'],
    [8, 1, 'e'],
  ] as const) {
    queue.push(key, { of, name });
  }
  return queue;
};

describe('a queue of turns', () => {
  it('serves the case that was served least often, the smallest key first', () => {
    const queue = filled(10);
    const names = Array.from({ length: 6 }, () => queue.pop()?.name);
    expect(names).toEqual(['b', 'e', 'c', 'd', 'a', undefined]);
    expect(queue.least).toBe(Number.POSITIVE_INFINITY);
  });

  it('keeps what it does not serve', () => {
    const queue = filled(1);
    expect(queue.size).toBe(2);
    expect([queue.pop()?.name, queue.pop()?.name, queue.pop()]).toEqual(['b', 'e', undefined]);
    expect(queue.size).toBe(0);
    expect(queue.least).toBe(2);
    expect(queue.entries().map(({ key, item }) => [key, item.name])).toEqual(
      expect.arrayContaining([
        [3, 'a'],
        [2, 'c'],
        [9, 'd'],
      ]),
    );
    expect(queue.entries()).toHaveLength(3);
  });
});
