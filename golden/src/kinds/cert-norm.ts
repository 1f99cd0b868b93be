import { ibp, marginSpec, naturalPass, runningNorm } from '@cert/bounds';
import { linfBall, normalize, type Params, type Stats, type Tensor, tf } from '@cert/core';
import type { Device } from '@cert/jit';
import { countErrors, countUnverified, crossEntropy, robustLoss } from '@cert/trainer';
import { caseName } from '../case.js';
import {
  compileOn,
  dataRange,
  type Outputs,
  put,
  putLabels,
  putParams,
  putScalar,
  type Values,
} from '../device-call.js';
import type { Field } from '../field.js';
import type { Kind } from '../kind.js';
import { readNet } from '../net.js';

/**
 * Inputs normalized per channel: `cert_norm`. Both ways of doing it are compared: boxes in normalized units, and the
 * normalization as a layer with boxes in raw pixels.
 */
export const normalized: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    const evaluate = evaluator(file, device);
    const image = readNet(file.get('net'), file.get('x'));
    const images = file.get('labels').numbers().length;
    for (const [i, entry] of file.get('cases').list().entries()) {
      const at = (quantity: string) => `${caseName(entry, i)} ${quantity}`;
      const epsilon = entry.get('eps').number();
      const values = await evaluate(entry.get('robust').flag() ? epsilon : file.get('min_eps_reg').number());
      for (const name of ['x', 'x_lower', 'x_upper']) {
        const expected = image.activation('input', (name === 'x' ? file : entry).get(name).tensor());
        if (name !== 'x') to.add(at(name), values[name], expected);
        to.add(at(`${name} (as a layer)`), values[`raw.${name}`], expected);
      }
      for (const name of ['ce_loss', 'robust_loss']) to.add(at(name), values[name], entry.get(name).number());
      for (const name of ['error', 'robust_error']) {
        to.add(at(name), Number(values[name]?.[0]) / images, entry.get(name).number());
      }
      const margins = entry.get('margin_lower').tensor();
      to.add(at('margin_lower'), values.margin_lower, margins);
      to.add(at('margin_lower (as a layer)'), values['raw.margin_lower'], margins);
    }
  },
};

/** The losses and bounds at a radius in raw pixels. */
function evaluator(file: Field, device: Device): (radius: number) => Promise<Values> {
  const [mean, std] = [file.get('mean').tensor().data, file.get('std').tensor().data];
  const net = readNet(file.get('net'), file.get('x'));
  const raw = readNet(file.get('net'), file.get('x'), [normalize(mean, std)]).model;
  const layer = raw.nodes[0]!.name;
  const classes = file.get('num_class').number();
  const range = dataRange(file);
  const evaluate = compileOn(
    device,
    (params: Params, stats: Stats, x: Tensor, pixels: Tensor, labels: Tensor, epsilon: Tensor): Outputs => {
      const norm = runningNorm(stats);
      const spec = marginSpec(labels, classes);
      const box = linfBall(x, tf.div(epsilon, tf.tensor1d([...std])), range);
      const margins = ibp.bound({ network: { model: net.model, params, norm }, box, spec }).output.lower;
      const logits = naturalPass({ model: net.model, params, norm }, x).output;
      const rawBounds = ibp.bound({ network: { model: raw, params, norm }, box: linfBall(pixels, epsilon), spec });
      return {
        x_lower: box.lower,
        x_upper: box.upper,
        ce_loss: crossEntropy(logits, labels),
        robust_loss: robustLoss(margins),
        error: countErrors(logits, labels),
        robust_error: countUnverified(margins),
        margin_lower: margins,
        'raw.x': naturalPass({ model: raw, params, norm }, pixels).at[layer]!,
        'raw.x_lower': rawBounds.at[layer]!.lower,
        'raw.x_upper': rawBounds.at[layer]!.upper,
        'raw.margin_lower': rawBounds.output.lower,
      };
    },
  );
  return (radius) =>
    evaluate(
      putParams(device, net.params),
      putParams(device, net.stats),
      put(device, net.activation('input', file.get('x').tensor())),
      put(device, net.activation('input', file.get('x_raw').tensor())),
      putLabels(device, file.get('labels')),
      putScalar(device, radius),
    );
}
