import { CertError, describeValue } from '@cert/core';
import { flattenHost } from '@cert/models';
import type { Optimizer } from '../../optimizers/optimizer.js';
import type { HostState } from '../../state.js';

/**
 * Checks that what a checkpoint holds of an optimizer is what the optimizer remembers: the same tensors, by their names and shapes.
 *
 * @param path of the checkpoint, for the message
 * @throws CertError `bad-file` naming the first tensor that is missing, left over, or of another shape
 */
export function checkOptimizerState(path: string, { params, optimizer: found }: HostState, optimizer: Optimizer): void {
  const initial = flattenHost(optimizer.init(params));
  const wanted = new Map(Object.entries(initial).map(([name, { shape }]) => [name, String(shape)]));
  const fail = (problem: string) =>
    new CertError(
      'bad-file',
      `${path} does not hold the state of the optimizer ${describeValue(optimizer.name)}: ${problem}.`,
      'Resume from a checkpoint written by cert train with this optimizer.',
    );
  const tensors = flattenHost(found);
  for (const [name, shape] of wanted) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name]! : undefined;
    if (tensor === undefined) throw fail(`${describeValue(name)} is missing`);
    if (String(tensor.shape) !== shape) throw fail(`${describeValue(name)} has the shape [${tensor.shape}]`);
    if (!(tensor.data instanceof Float32Array)) throw fail(`${describeValue(name)} should be float32`);
  }
  for (const name of Object.keys(tensors))
    if (!wanted.has(name)) throw fail(`${describeValue(name)} is not part of this state`);
}
