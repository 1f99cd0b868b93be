import { CertError, type Shape, type Tensor, tf } from '@cert/core';

/** The values of a tensor on the host, row-major. */
export interface Values {
  /** Length of each axis. */
  readonly shape: Shape;
  /** As many numbers as the shape has elements. */
  readonly data: Float32Array;
}

/** Runs a function of tensors and copies what it returns to the host. Every tensor that it made is freed. */
export async function evaluate<K extends string>(
  f: () => { readonly [name in K]: Tensor },
): Promise<{
  readonly [name in K]: Values;
}> {
  // Clones: the function may return its own inputs, which are the caller's to free.
  const results = tf.tidy(() =>
    Object.entries<Tensor>(f()).map(([name, tensor]): [string, Tensor] => [name, tensor.clone()]),
  );
  try {
    const read = await Promise.all(
      results.map(
        async ([name, tensor]): Promise<[string, Values]> => [
          name,
          { shape: tensor.shape, data: Float32Array.from(await tensor.data()) },
        ],
      ),
    );
    return Object.fromEntries(read) as { readonly [name in K]: Values };
  } finally {
    for (const [, tensor] of results) tensor.dispose();
  }
}

/** Whether two shapes are the same. */
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, i) => n === b[i]);

/**
 * Runs a synchronous function in which reading a tensor's value is an error: what reads a value waits for the device and
 * cannot be compiled.
 *
 * @throws CertError `value-read`
 */
export function withoutReads<T>(who: string, where: string, f: () => T): T {
  const engine = tf.engine();
  const [read, readSync] = [engine.read, engine.readSync];
  const refuse = (): never => {
    throw new CertError(
      'value-read',
      `${who}, ${where}: it read the value of a tensor.`,
      'Compute with tensors only (tf.where, tf.minimum, masks): a value that was read cannot be compiled or differentiated.',
    );
  };
  engine.read = refuse;
  engine.readSync = refuse;
  try {
    return f();
  } finally {
    engine.read = read;
    engine.readSync = readSync;
  }
}
