import type { DataRange, Params, Tensor } from '@cert/core';
import { type Device, type DeviceArray, disposeTree, type HostArray, type OnDevice, readTree } from '@cert/jit';
import type { Field, Numbers } from './field.js';
import type { NumberTree } from './net.js';

/** Named tensors. */
export type Outputs = { readonly [name: string]: Tensor };

/** The values of named tensors. */
export type Values = { readonly [name: string]: HostArray };

/** A function of trees on a device whose results are read at once. */
export type HostFunction<Args extends readonly unknown[]> = (
  ...args: { [K in keyof Args]: OnDevice<Args[K]> }
) => Promise<Values>;

/** Compiles (or wraps) a pure function for a device, to be called as often as there are cases. */
export function compileOn<Args extends readonly unknown[]>(
  device: Device,
  f: (...args: Args) => Outputs,
): HostFunction<Args> {
  const compiled = device.jit<Args, Outputs>(f);
  return async (...args) => {
    const results = await compiled(...args);
    const values = (await readTree<Outputs>(results)) as Values;
    disposeTree(results);
    return values;
  };
}

export const put = (device: Device, { data, shape }: Numbers): DeviceArray =>
  device.put(Float32Array.from(data), shape);

export const putScalar = (device: Device, value: number): DeviceArray => device.put(Float32Array.of(value), []);

export const putLabels = (device: Device, labels: Field): DeviceArray => {
  const values = labels.numbers();
  return device.put(Int32Array.from(values), [values.length]);
};

/** Parameters or statistics; `edit` is added to whole tensors, by the keys `node.name`. */
export const putParams = (device: Device, tree: NumberTree, edit?: ReadonlyMap<string, number>): OnDevice<Params> =>
  Object.fromEntries(
    Object.entries(tree).map(([node, tensors]) => [
      node,
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => {
          const added = edit?.get(`${node}.${name}`) ?? 0;
          return [name, put(device, { shape, data: data.map((value) => Math.fround(value) + added) })];
        }),
      ),
    ]),
  );

/** `data_min` and `data_max`: numbers, or one for each channel ([1, C, 1, 1]). */
export function dataRange(file: Field): DataRange {
  const side = (field: Field): number | readonly number[] =>
    typeof field.value === 'number' ? field.number() : [...field.tensor().data];
  return { min: side(file.get('data_min')), max: side(file.get('data_max')) };
}

/** Every tensor of a tree of parameters under `prefix.node.name`. */
export const named = (prefix: string, tree: Params): Outputs =>
  Object.fromEntries(
    Object.entries(tree).flatMap(([node, tensors]) =>
      Object.entries(tensors).map(([name, tensor]) => [`${prefix}.${node}.${name}`, tensor]),
    ),
  );
