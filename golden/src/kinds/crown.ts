import {
  crown,
  crownIbp,
  crownMargins,
  foldBatchNorm,
  fusedExponentials,
  ibp,
  marginSpec,
  naturalPass,
  runningNorm,
} from '@cert/bounds';
import {
  type BoundMethod,
  linfBall,
  type Params,
  reluInputs,
  type Scalar,
  type Stats,
  type Tensor,
  tf,
} from '@cert/core';
import type { Device, HostArray } from '@cert/jit';
import { crownIbpObjective } from '@cert/trainer';
import { type Actual, ownTolerance } from '../compare.js';
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
import type { Field, Numbers } from '../field.js';
import type { Kind } from '../kind.js';
import { type Net, readNet } from '../net.js';
import { compareNodes, everyNode } from './ibp.js';

/** What is bounded: the radius and labels of `file`, the images and classes of `base`. */
interface Problem {
  readonly file: Field;
  readonly base: Field;
  readonly net: Net;
  readonly device: Device;
}

/** How many rows a pass of the chunked CROWN takes: little enough that every layer is cut. */
const CHUNK = 5;

/** Linear relaxation with running statistics: `crown_mlp`, `crown_cnn`. The net and the images are those of another file. */
export const crownEvaluation: Kind = {
  on: 'devices',
  async compare({ file, sibling }, device, to) {
    const base = await sibling(file.get('net_from').text());
    const net = readNet(base.get('net'), base.get('x'));
    const problem = { file, base, net, device };
    const [byIbp, byCrownIbp, byCrown, inChunks] = [
      await marginsBy(ibp, problem),
      await marginsBy(crownIbp, problem),
      await marginsBy(crown(), problem),
      await marginsBy(crown({ chunk: CHUNK }), problem),
    ];
    const add = (quantity: string, actual: Actual, expected: Numbers | number, figure: string, where?: string) =>
      to.add(quantity, actual, expected, ownTolerance(file, figure, expected), where);
    const margins = (name: string) => file.get(name).tensor();
    const linear = 'crown_ibp_margin_lower';
    const full = 'crown_margin_lower';
    add('ibp_margin_lower', byIbp.lower, margins('ibp_margin_lower'), 'ibp_margin_lower');
    add(linear, byCrownIbp.lower, margins(linear), linear);
    add('crown_ibp_margin_upper', byCrownIbp.upper, margins('crown_ibp_margin_upper'), linear);
    add(full, byCrown.lower, margins(full), full);
    add(`${full} (in chunks)`, inChunks.lower, margins(full), full);
    compareNodes(to, file, 'crown_relu_inputs', net, reluInputs(net.model), byCrown);

    const train = trainingLosses(problem);
    for (const [i, entry] of file.get('mixed').list().entries()) {
      const values = await train(entry.get('crown_factor').number());
      add('mixed.margin_lower', values.margins, entry.get('margin_lower').tensor(), linear, `[${i}]`);
      add('mixed.robust_loss', values.loss, entry.get('robust_loss').number(), linear, `[${i}]`);
    }
    const fusion = file.get('loss_fusion');
    for (const [i, entry] of fusion.get('robust_loss').list().entries()) {
      const values = await train(entry.get('crown_factor').number());
      add('loss_fusion.robust_loss', values.fused_loss, entry.get('value').number(), linear, `[${i}]`);
      for (const name of ['ibp_log_sum_exp', 'crown_ibp_log_sum_exp']) {
        add(`loss_fusion.${name}`, values[name], fusion.get(name).tensor(), linear);
      }
    }

    const atMost = (quantity: string, actual: readonly number[], limits: Numbers) =>
      to.addAtMost(quantity, actual, limits, ownTolerance(file, full, limits));
    // No sound bound exceeds what an attack reached.
    const reached = margins('pgd_margin_upper');
    atMost(`${linear} <= pgd_margin_upper`, numbersOf(byCrownIbp.lower), reached);
    atMost(`${full} <= pgd_margin_upper`, numbersOf(byCrown.lower), reached);
    // Optimised slopes are no worse in the sum, which is what they maximise.
    for (const entry of file.get('alpha_crown').list()) {
      const optimised = sum(entry.get('margin_lower').tensor().data);
      atMost(`sum of ${full} <= alpha_crown`, [sum(numbersOf(byCrown.lower))], { shape: [1], data: [optimised] });
    }
  },
};

/** Bounds of the margins by a method as `lower` and `upper`, and those at every node as `node.lower` and `node.upper`. */
export async function marginsBy(method: BoundMethod, problem: Problem): Promise<Values> {
  const { base, net, device } = problem;
  const range = dataRange(base);
  const classes = base.get('num_class').number();
  const evaluate = compileOn(
    device,
    (params: Params, stats: Stats, x: Tensor, labels: Tensor, epsilon: Tensor): Outputs => {
      const box = linfBall(x, epsilon, range);
      const bounds = method.bound({
        network: { model: net.model, params, norm: runningNorm(stats) },
        box,
        spec: marginSpec(labels, classes),
      });
      return { ...everyNode(bounds), lower: bounds.output.lower, upper: bounds.output.upper };
    },
  );
  return evaluate(...inputsOf(problem));
}

/**
 * The losses of CROWN-IBP training, as a training step computes them: batch normalizations are folded, bounds are those of IBP, and
 * what linear relaxation gives is weighted by the factor.
 */
function trainingLosses(problem: Problem): (factor: number) => Promise<Values> {
  const { base, net, device } = problem;
  const { model } = net;
  const range = dataRange(base);
  const classes = base.get('num_class').number();
  const evaluate = compileOn(
    device,
    (params: Params, stats: Stats, x: Tensor, labels: Tensor, epsilon: Tensor, factor: Tensor): Outputs => {
      const norm = runningNorm(stats);
      const box = linfBall(x, epsilon, range);
      const spec = marginSpec(labels, classes);
      const network = { model, params, norm };
      const problem = { network: foldBatchNorm(network, x.shape[0]!), box, spec };
      const bounds = ibp.bound(problem);
      const { output: logits } = naturalPass(network, x);
      const ramp: Scalar = tf.sub(1, factor);
      const forward = (points: Tensor) => naturalPass(network, points).output;
      const context = { network, labels, logits, hyper: { ramp }, problem, bounds, choice: {}, forward };
      const linear = crownMargins(problem, bounds.at);
      const fused = fusedExponentials(problem, bounds);
      return {
        margins: tf.add(tf.mul(linear, factor), tf.mul(bounds.output.lower, ramp)),
        loss: crownIbpObjective({ fusion: false }).loss(context),
        fused_loss: crownIbpObjective({ fusion: true }).loss(context),
        ibp_log_sum_exp: tf.add(tf.log(fused.ibp), fused.shift),
        crown_ibp_log_sum_exp: tf.add(tf.log(fused.crownIbp), fused.shift),
      };
    },
  );
  return (factor) => evaluate(...inputsOf(problem), putScalar(device, factor));
}

const numbersOf = (values: HostArray | undefined): number[] => Array.from(values ?? [], Number);

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const inputsOf = ({ file, base, net, device }: Problem) =>
  [
    putParams(device, net.params),
    putParams(device, net.stats),
    put(device, net.activation('input', base.get('x').tensor())),
    putLabels(device, file.get('labels')),
    putScalar(device, file.get('eps').number()),
  ] as const;
