import type { DataRange } from '@cert/core';

/** Numbers that a range spans: the least and the greatest over its channels. `undefined` stands for [0, 1], `null` for no range. */
export async function readRange(
  range: DataRange | null | undefined,
): Promise<{ readonly min: number; readonly max: number } | null> {
  if (range === null) return null;
  if (range === undefined) return { min: 0, max: 1 };
  const read = async (end: DataRange['min']) => (typeof end === 'number' ? [end] : Array.from(await end.data()));
  return { min: Math.min(...(await read(range.min))), max: Math.max(...(await read(range.max))) };
}
