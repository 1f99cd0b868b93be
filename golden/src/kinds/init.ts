import { countParams, type Model, paramSpecs } from '@cert/core';
import { type IbpPlanEntry, ibpPlan } from '@cert/init';
import { cnn7, resnext, wideResnet8 } from '@cert/models';
import { EXACT } from '../compare.js';
import type { Field } from '../field.js';
import type { Kind } from '../kind.js';

/** What the IBP initialization draws each weight from, on the models of the paper: `init`. */
export const initialization: Kind = {
  on: 'host',
  async compare({ file }, to) {
    for (const entry of file.get('models').list()) {
      const name = `${entry.get('model').text()} ${entry.get('data').text()}`;
      const model = readModel(entry);
      to.add(`${name} num_params`, countParams(model), entry.get('num_params').number(), EXACT);
      const plan = ibpPlan(model);
      const ours = paramSpecs(model).filter((spec) => spec.name === 'kernel' || spec.name === 'gamma');
      const weights = entry.get('weights').list();
      if (ours.length !== weights.length) {
        to.fail(`${name} weights`, `the file has ${weights.length}, the model ${ours.length}`);
        continue;
      }
      for (const [i, weight] of weights.entries()) {
        const { node, shape } = ours[i]!;
        const where = `${weight.get('name').text()} (${node})`;
        const add = (quantity: string, actual: number | undefined, expected: number) =>
          to.add(`${name} ${quantity}`, actual, expected, EXACT, where);
        const wanted = toOurs(weight.get('shape').numbers());
        to.add(`${name} shape`, shape, { shape: [wanted.length], data: wanted }, EXACT, where);
        const planned: Partial<IbpPlanEntry> = plan[node] ?? {};
        const { std = null, halved = false, fanIn } = planned;
        add('reinitialized', std === null ? 0 : 1, Number(weight.get('reinitialized').flag()));
        add('divided_by_2_residual', Number(halved), Number(weight.get('divided_by_2_residual').flag()));
        if (weight.has('fan_in')) add('fan_in', fanIn, weight.get('fan_in').number());
        if (weight.has('target_std')) {
          add('target_std', (std ?? Number.NaN) * (halved ? 2 : 1), weight.get('target_std').number());
        }
        if (weight.has('final_std')) add('final_std', std ?? Number.NaN, weight.get('final_std').number());
      }
    }
  },
};

/** [out, in, h, w] and [out, in] to our order of axes. */
const toOurs = ([out, ...rest]: readonly number[]): number[] => {
  const [inputs, ...window] = rest;
  return inputs === undefined ? [out!] : [...window, inputs, out!];
};

/** The model that a file names; widths are read off the shapes of its weights. */
function readModel(entry: Field): Model {
  const weights = entry.get('weights').list();
  const shapes = weights.map((weight) => weight.get('shape').numbers());
  const named = (pattern: RegExp) => shapes.filter((_, i) => pattern.test(weights[i]!.get('name').text()));
  const size = entry.get('in_dim').number();
  const [classes, dense] = shapes.at(-1) as [number, number];
  const stem = shapes[0]![0]!;
  const common = { inputShape: [size, size, entry.get('in_ch').number()], classes, dense };
  const name = entry.get('model').text();
  if (/cnn_7layer/.test(name)) {
    const normalized = shapes.some((shape) => shape.length === 1);
    const batchNorm = shapes.at(-2)!.length === 1 ? 'full' : normalized ? 'conv' : 'none';
    return cnn7({ ...common, width: stem, batchNorm });
  }
  if (/wide_?resnet_?8/i.test(name)) {
    return wideResnet8({ ...common, stem, widths: named(/^layer\d+\.0\.conv1\.weight$/).map(([out]) => out!) });
  }
  if (/resnext/i.test(name)) {
    const grouped = named(/^layer\d+\.0\.conv2\.weight$/);
    const [width, bottleneck] = grouped[0] as [number, number];
    return resnext({ ...common, stem, bottleneck, cardinality: width / bottleneck, stages: grouped.length });
  }
  throw entry.get('model').wrong(`is "${name}"; cnn_7layer_*, wide_resnet_8 and ResNeXt_* are known`);
}
