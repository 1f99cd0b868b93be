import { ibp, marginSpec, naturalPass, runningNorm } from '@cert/bounds';
import { type Bounds, linfBall, type Params, reluInputs, type Stats, type Tensor } from '@cert/core';
import type { Device } from '@cert/jit';
import { robustLoss } from '@cert/trainer';
import { type Comparison, ownTolerance } from '../compare.js';
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
import { type Net, readNet } from '../net.js';

/** The ops as the files call them in `affine_outputs`. */
const AFFINE: { readonly [op: string]: string } = { conv: 'conv2d', linear: 'dense', batchnormalization: 'batchNorm' };

/** Interval bounds with running statistics: `ibp_mlp`, `ibp_cnn`. */
export const ibpEvaluation: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    const net = readNet(file.get('net'), file.get('x'));
    const values = await evaluateIbp(file, net, device);
    compareIbp(file, net, values, to);
    for (const name of ['C', 'margin_upper']) {
      const expected = file.get(name).tensor();
      to.add(name, values[name], expected, ownTolerance(file, 'ibp_margin_lower', expected));
    }
    const affine = net.model.nodes.filter(({ op }) => Object.values(AFFINE).includes(op));
    for (const [i, entry] of file.get('affine_outputs').list().entries()) {
      const op = entry.get('op');
      if (AFFINE[op.text()] !== affine[i]?.op) throw op.wrong(`is "${op.text()}" and ours is "${affine[i]?.op}"`);
    }
    const nodes = affine.map(({ name }) => name);
    compareNodes(to, file, 'affine_outputs', net, nodes, values);
  },
};

/** Everything that IBP gives for the images of a file. */
export async function evaluateIbp(file: Field, net: Net, device: Device): Promise<Values> {
  const { model } = net;
  const last = model.nodes.at(-1)!.name;
  const classes = file.get('num_class').number();
  const range = dataRange(file);
  const evaluate = compileOn(
    device,
    (params: Params, stats: Stats, x: Tensor, labels: Tensor, epsilon: Tensor): Outputs => {
      const norm = runningNorm(stats);
      const box = linfBall(x, epsilon, range);
      const spec = marginSpec(labels, classes);
      const bounds = ibp.bound({ network: { model, params, norm }, box });
      const margins = ibp.bound({ network: { model, params, norm }, box, spec }).output;
      return {
        ...everyNode(bounds),
        x_lower: box.lower,
        x_upper: box.upper,
        C: spec.matrix,
        logits: naturalPass({ model, params, norm }, x).output,
        logits_lower: bounds.output.lower,
        logits_upper: bounds.output.upper,
        margin_lower: margins.lower,
        margin_upper: margins.upper,
        robust_loss: robustLoss(margins.lower),
        [`${last}.lower`]: bounds.output.lower,
        [`${last}.upper`]: bounds.output.upper,
      };
    },
  );
  return evaluate(
    putParams(device, net.params),
    putParams(device, net.stats),
    put(device, net.activation('input', file.get('x').tensor())),
    putLabels(device, file.get('labels')),
    putScalar(device, file.get('eps').number()),
  );
}

/** The quantities that files of interval bounds have in common, and what their files call how exact they are. */
const COMMON: { readonly [quantity: string]: string } = {
  logits: 'logits',
  logits_lower: 'logits_lower',
  logits_upper: 'logits_lower',
  margin_lower: 'margin_lower',
};

/** What files of interval bounds have in common: the box, the logits, bounds at every ReLU, margins. */
export function compareIbp(file: Field, net: Net, values: Values, to: Comparison): void {
  for (const name of ['x_lower', 'x_upper']) {
    to.add(name, values[name], net.activation('input', file.get(name).tensor()));
  }
  for (const [name, figure] of Object.entries(COMMON)) {
    const expected = file.get(name).tensor();
    to.add(name, values[name], expected, ownTolerance(file, figure, expected));
  }
  compareNodes(to, file, 'relu_inputs', net, reluInputs(net.model), values);
}

/** Compares a list of `{ lower, upper }`, one for each of the nodes; ours are the values `node.lower` and `node.upper`. */
export function compareNodes(
  to: Comparison,
  file: Field,
  quantity: string,
  net: Net,
  nodes: readonly string[],
  values: Values,
): void {
  const entries = file.get(quantity);
  expectCount(entries, nodes.length);
  for (const [i, entry] of entries.list().entries()) {
    for (const side of ['lower', 'upper']) {
      const expected = net.activation(nodes[i]!, entry.get(side).tensor());
      const tolerance = ownTolerance(file, quantity, expected);
      to.add(`${quantity}.${side}`, values[`${nodes[i]}.${side}`], expected, tolerance, `[${i}]`);
    }
  }
}

/** Bounds at every node as `node.lower` and `node.upper`. */
export const everyNode = (bounds: Bounds): Outputs =>
  Object.fromEntries(
    Object.entries(bounds.at).flatMap(([node, { lower, upper }]) => [
      [`${node}.lower`, lower],
      [`${node}.upper`, upper],
    ]),
  );

/** @throws CertError `bad-file` when a list has not one entry for each of ours */
export function expectCount(list: Field, count: number): void {
  if (list.list().length !== count) throw list.wrong(`has ${list.list().length} entries and ours are ${count}`);
}
