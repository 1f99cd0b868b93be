import { CertError, describeValue, flattenTree, type Tensor, tf } from '@cert/core';
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
  const wanted = new Map(
    tf.tidy(() => {
      const zeros = Object.fromEntries(
        Object.entries(params).map(([node, tensors]) => [
          node,
          Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, tf.zeros([...shape])])),
        ]),
      );
      return flattenTree<Tensor>(optimizer.init(zeros)).map(
        ({ path: name, value }) => [name, String(value.shape)] as const,
      );
    }),
  );
  const fail = (problem: string) =>
    new CertError(
      'bad-file',
      `${path} does not hold the state of the optimizer ${describeValue(optimizer.name)}: ${problem}.`,
      'Resume from a checkpoint that cert train wrote with this optimizer.',
    );
  const tensors = flattenHost(found);
  for (const [name, shape] of wanted) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name]! : undefined;
    if (tensor === undefined) throw fail(`${describeValue(name)} is missing`);
    if (String(tensor.shape) !== shape) throw fail(`${describeValue(name)} has the shape [${tensor.shape}]`);
    if (!(tensor.data instanceof Float32Array)) throw fail(`${describeValue(name)} should be float32`);
  }
  for (const name of Object.keys(tensors)) if (!wanted.has(name)) throw fail(`${describeValue(name)} is left over`);
}
