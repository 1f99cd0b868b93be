/** The conformance suites with the bounds computed on WebGPU; what an eager run checks too (gradients, purity) is left out. */
import { crownIbp, ibp, naturalPass } from '@cert/bounds';
import { type Model, mapTree, type Tensor, type Tree } from '@cert/core';
import { type DeviceFunction, disposeTree, type HostArray } from '@cert/jit';
import { webgpuDevice } from '@cert/jit/node';
import { boundMethodSuite, type CallTensors, type EvaluateBounds } from '@cert/testing';
import { afterAll, describe, it } from 'vitest';

const device = await webgpuDevice();
afterAll(() => device.dispose());

const CHECKS = /contains random points|single points|in a batch, and an empty batch|is exact/;

/** Compiles the bounds of a model once. */
function onDevice(): EvaluateBounds {
  const compiled = new Map<Model, DeviceFunction<[CallTensors], { readonly [name: string]: Tensor }>>();
  return async (model, bounds, tensors) => {
    const f = compiled.get(model) ?? device.jit(bounds);
    compiled.set(model, f);
    const put = (tensor: Tensor) => device.put(tensor.dataSync() as HostArray, tensor.shape);
    const args = mapTree(put, tensors as Tree<Tensor>);
    const out = await f(args as unknown as Parameters<typeof f>[0]);
    const values: { [name: string]: { shape: readonly number[]; data: Float32Array } } = {};
    for (const [name, array] of Object.entries(out)) {
      values[name] = { shape: array.shape, data: (await array.data()) as Float32Array };
    }
    disposeTree([args, out]);
    return values;
  };
}

describe.each([
  ['ibp', ibp, 'layers'],
  ['crown-ibp', crownIbp, 'output'],
] as const)('%s on WebGPU', (_, method, exactOn) => {
  const suite = boundMethodSuite({ method, forward: naturalPass, exactOn, evaluateBounds: onDevice() });
  for (const { name, run } of suite.filter((check) => CHECKS.test(check.name))) it(name, run);
});
