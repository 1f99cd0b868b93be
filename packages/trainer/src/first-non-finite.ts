import { naturalPass } from '@cert/bounds';
import { type Batch, type Hyper, INPUT, type Params, perturbationBox, type Tensor, tf, UNIT_BALL } from '@cert/core';
import type { Device, OnDevice } from '@cert/jit';
import type { TrainStepOptions } from './step.js';

/**
 * Where a computation left the numbers: walks parameters, natural pass and bounds in graph order.
 *
 * @param hyper holds `epsilon` when the step computed bounds
 * @returns in words, the first place that holds NaN or infinity; `undefined` when every value is finite (the gradient was not)
 */
export async function firstNonFinite(
  device: Device,
  {
    model,
    method,
    natural,
    perturbation = UNIT_BALL,
  }: Pick<TrainStepOptions, 'model' | 'method' | 'natural' | 'perturbation'>,
  params: OnDevice<Params>,
  batch: OnDevice<Batch>,
  hyper: OnDevice<Hyper>,
): Promise<string | undefined> {
  const size = (tensor: Tensor) => tf.mean(tf.abs(tensor));
  const measure = device.jit((weights: Params, { images }: Batch, scalars: Hyper) => {
    const { at, norm } = naturalPass({ model, params: weights, norm: 'batch' }, images, natural);
    const epsilon = scalars.epsilon;
    const bounds =
      epsilon &&
      method?.bound({ network: { model, params: weights, norm }, box: perturbationBox(perturbation, images, epsilon) });
    const sizes: Record<string, Tensor> = {};
    for (const [node, tensors] of Object.entries(weights)) {
      for (const [name, tensor] of Object.entries(tensors)) sizes[`parameter|${node}|${name}`] = size(tensor);
    }
    for (const name of Object.keys(at)) {
      sizes[`value|${name}`] = size(at[name]!);
      const box = bounds?.at[name];
      if (box) sizes[`bound|${name}`] = tf.add(size(box.lower), size(box.upper));
    }
    return sizes;
  });
  const sizes = await measure(params, batch, hyper);
  const bad = async (key: string) => sizes[key] !== undefined && !Number.isFinite((await sizes[key].data())[0]);
  try {
    for (const node of [{ name: INPUT, params: {} }, ...model.nodes]) {
      for (const name of Object.keys(node.params)) {
        if (await bad(`parameter|${node.name}|${name}`)) return `the parameter "${node.name}.${name}"`;
      }
      if (await bad(`value|${node.name}`)) return `the output of "${node.name}"`;
      if (await bad(`bound|${node.name}`)) return `the bounds at "${node.name}"`;
    }
    return undefined;
  } finally {
    for (const array of Object.values(sizes)) array.dispose();
    await measure.dispose();
  }
}
