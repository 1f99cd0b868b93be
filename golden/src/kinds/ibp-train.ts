import { ibp, marginSpec, naturalPass, updateRunning } from '@cert/bounds';
import { linfBall, type Params, type Stats, type Tensor, valueAndGrad } from '@cert/core';
import type { Device } from '@cert/jit';
import { countErrors, countUnverified, crossEntropy, robustLoss } from '@cert/trainer';
import { caseName, readEdit } from '../case.js';
import {
  compileOn,
  dataRange,
  named,
  type Outputs,
  put,
  putLabels,
  putParams,
  putScalar,
  type Values,
} from '../device-call.js';
import type { Field } from '../field.js';
import { compareGradients } from '../gradients.js';
import type { Kind } from '../kind.js';
import { type Net, readNet } from '../net.js';
import { expectCount } from './ibp.js';

/** Losses, gradients and statistics with the batch's own moments: `ibp_cnn_train`. */
export const ibpTraining: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    const net = readNet(file.get('net'), file.get('x'));
    const evaluate = evaluator(file, net, device);
    const images = file.get('labels').numbers().length;
    for (const [i, entry] of file.get('cases').list().entries()) {
      const at = (quantity: string) => `${caseName(entry, i)} ${quantity}`;
      const values = await evaluate(entry);
      for (const name of ['ce_loss', 'robust_loss']) to.add(at(name), values[name], entry.get(name).number());
      for (const name of ['error', 'robust_error']) {
        to.add(at(name), Number(values[name]?.[0]) / images, entry.get(name).number());
      }
      to.add(at('margin_lower'), values.margin_lower, entry.get('margin_lower').tensor());
      const norms = net.model.nodes.filter(({ op }) => op === 'batchNorm');
      const moments = entry.get('batch_mean_var_biased');
      expectCount(moments, norms.length);
      for (const [k, moment] of moments.list().entries()) {
        const node = norms[k]!.name;
        const slots = [...net.statSlots.values()].filter((slot) => slot.node === node);
        for (const { name, convert } of slots) {
          const field = name === 'mean' ? 'mean' : 'var';
          const expected = convert(moment.get(field).tensor());
          to.add(at(`batch_${field}`), values[`moments.${node}.${name}`], expected, undefined, `[${k}]`);
        }
      }
      for (const [name, { node, name: stat, convert }] of net.statSlots) {
        const expected = convert(entry.get('running_after').get(name).tensor());
        to.add(at('running_after'), values[`running.${node}.${stat}`], expected, undefined, name);
      }
      for (const loss of ['robust_loss', 'ce_loss']) {
        compareGradients(to, at(`grad_${loss}`), net, values, loss, entry.get(`grad_${loss}`));
      }
    }
  },
};

/** Losses, gradients and statistics of one case. */
function evaluator(file: Field, net: Net, device: Device): (entry: Field) => Promise<Values> {
  const { model } = net;
  const classes = file.get('num_class').number();
  const range = dataRange(file);
  const evaluate = compileOn(
    device,
    (start: Params, stats: Stats, x: Tensor, labels: Tensor, epsilon: Tensor): Outputs => {
      const natural = valueAndGrad((params) => {
        const { output: logits, norm } = naturalPass({ model, params, norm: 'batch' }, x);
        return { value: crossEntropy(logits, labels), aux: { logits, norm } };
      }, start);
      const robust = valueAndGrad((params) => {
        const { norm } = naturalPass({ model, params, norm: 'batch' }, x);
        const box = linfBall(x, epsilon, range);
        const margins = ibp.bound({ network: { model, params, norm }, box, spec: marginSpec(labels, classes) }).output
          .lower;
        return { value: robustLoss(margins), aux: { margins } };
      }, start);
      const { logits, norm } = natural.aux;
      const moments = Object.fromEntries(
        Object.entries(norm).map(([node, { mean, variance }]) => [node, { mean, variance }]),
      );
      return {
        ce_loss: natural.value,
        robust_loss: robust.value,
        error: countErrors(logits, labels),
        robust_error: countUnverified(robust.aux.margins),
        margin_lower: robust.aux.margins,
        ...named('moments', moments),
        ...named('running', updateRunning(model, stats, norm, x.shape[0]!)),
        ...named('ce_loss', natural.grads),
        ...named('robust_loss', robust.grads),
      };
    },
  );
  return (entry) =>
    evaluate(
      putParams(device, net.params, readEdit(entry, net)),
      putParams(device, net.stats),
      put(device, net.activation('input', file.get('x').tensor())),
      putLabels(device, file.get('labels')),
      putScalar(device, entry.get('eps').number()),
    );
}
