import { CertError, type Tensor, tf } from '@cert/core';
import { failure, guarded } from './conformance.js';
import { evaluate, type Values, withoutReads } from './host.js';

/** A call of a plug-in for {@link checkPurity}: its inputs, and the call itself. */
export interface PureCall {
  readonly who: string;
  readonly where: string;
  /** Everything that the plug-in is given; tensors in it must survive unchanged, plain data too. */
  readonly inputs: { readonly [name: string]: object };
  run(): { readonly [name: string]: Tensor };
}

/**
 * Checks that a call reads no value, keeps no tensor alive beyond `tf.tidy`, frees none of its inputs, changes none of them and
 * gives the same numbers again.
 *
 * @returns the numbers
 * @throws CertError `value-read` or `broken-contract`
 */
export async function checkPurity({ who, where, inputs, run }: PureCall): Promise<{ readonly [name: string]: Values }> {
  const tensors = tensorsIn(inputs, '');
  const plain = () => JSON.stringify(inputs, (_, value) => (value instanceof tf.Tensor ? value.id : value));
  const contents = () => evaluate<string>(() => Object.fromEntries(tensors.map(({ path, value }) => [path, value])));
  const [values, data, live] = [await contents(), plain(), tf.memory().numTensors];

  const call = () => guarded(who, where, () => withoutReads(who, where, run));
  tf.tidy(() => {
    call();
  });

  const dead = tensors.find(({ value }) => value.isDisposed);
  if (dead !== undefined) {
    throw failure(
      'broken-contract',
      who,
      where,
      `it disposed its input ${dead.path}.`,
      'Dispose only tensors that the function created, or use tf.tidy: inputs belong to the caller.',
    );
  }
  const leaked = tf.memory().numTensors - live;
  if (leaked !== 0) {
    throw failure(
      'broken-contract',
      who,
      where,
      `the call left ${leaked} tensors undisposed (inside tf.tidy).`,
      'Keep no tensors after the call: no tf.keep, no tf.variable, no cache.',
    );
  }
  if (plain() !== data) {
    throw failure(
      'broken-contract',
      who,
      where,
      'it modified the model or a record in its arguments.',
      'Return new data instead.',
    );
  }
  const after = await contents();
  const changed = tensors.find(({ path }) => !identical(after[path]!, values[path]!));
  if (changed !== undefined) {
    throw failure(
      'broken-contract',
      who,
      where,
      `it modified the values of ${changed.path}.`,
      'Return new tensors instead.',
    );
  }
  const [first, second] = [await evaluate(call), await evaluate(call)];
  const differs = Object.keys(first).find((name) => !identical(first[name]!, second[name]!));
  if (differs === undefined) return first;
  throw new CertError(
    'broken-contract',
    `${who}, ${where}: two calls with the same inputs give different values at ${differs}.`,
    'A plug-in must be a pure function: no state between calls, no random numbers.',
  );
}

/** Whether two results are the same bit for bit (NaN equals NaN). */
export const identical = (a: Values, b: Values): boolean =>
  a.data.length === b.data.length && a.data.every((v, i) => Object.is(v, b.data[i]));

/** Every tensor of plain data, with the path that leads to it. */
function tensorsIn(data: unknown, path: string): { path: string; value: Tensor }[] {
  if (data instanceof tf.Tensor) return [{ path, value: data }];
  if (data === null || typeof data !== 'object') return [];
  return Object.entries(data).flatMap(([key, value]) => tensorsIn(value, path === '' ? key : `${path}.${key}`));
}
