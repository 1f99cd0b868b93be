import { type Batch, type Hyper, linf } from '@cert/core';
import { type Device, disposeTree, type HostArray, type OnDevice, readTree } from '@cert/jit';
import { reluBalance, tightness } from '@cert/regularizers';
import { createTrainStep, type Objective, planStep, type StepMetrics, type TrainState } from '@cert/trainer';
import { type Comparison, EXACT, type Tolerance, VALUE } from '../compare.js';
import { dataRange, put, putLabels, putParams, putScalar } from '../device-call.js';
import type { Field } from '../field.js';
import type { Kind } from '../kind.js';
import { type Net, type NumberTree, readNet } from '../net.js';
import { readTraining, type Training } from '../training.js';

const GRADIENT: Tolerance = { relative: 1e-3, absolute: 1e-5 };

/**
 * Running means follow the biases in front of their BatchNorm, rounding noise that Adam turns into steps of up to the learning
 * rate. 2e-3 is what the files' description allows after five steps of 5e-4; longer walks get farther.
 */
const runningMean = (learningRate: number, steps: number): Tolerance => ({
  relative: 1e-4,
  absolute: Math.max(2e-3, 0.8 * learningRate * steps),
  why: 'follows biases without a true gradient',
});

/**
 * While the schedule's radius is 0, the regularizers see bounds at the smallest radius, which the file's float32 pairs of lower
 * and upper hold only coarsely (ours keep center and radius): the files' description allows their gradients 1e-2.
 */
const COARSE_GRADIENT: Tolerance = {
  ...GRADIENT,
  relative: 1e-2,
  why: 'the file lost the radius in float32 lower and upper',
};

/**
 * Adam divides by the size of the gradient and so makes the rounding of small ones large. The file says how far its own float32
 * parameters are from float64; its description allows ten times that.
 */
const atLeast = (tolerance: Tolerance, rounding: number): Tolerance =>
  10 * rounding > tolerance.absolute
    ? { ...tolerance, absolute: 10 * rounding, why: "ten times the file's own distance from float64" }
    : tolerance;

/** Whole training steps, one after the other: `trajectory`. */
export const trajectory: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    const batches = file.get('batches').list();
    if (batches.length === 0) throw file.get('batches').wrong('is empty');
    const net = readNet(file.get('net'), batches[0]!.get('x'));
    const training = readTraining(file.get('settings'));
    const run = steps(file, net, training, device);
    const slots = Object.keys(training.optimizer.init({}));
    let state: OnDevice<TrainState> = {
      params: putParams(device, net.params),
      stats: putParams(device, net.stats),
      optimizer: Object.fromEntries(slots.map((slot) => [slot, putParams(device, zerosLike(net.params))])),
    };
    for (const [i, wanted] of file.get('steps').list().entries()) {
      const batch = batches[i];
      if (batch === undefined) throw wanted.wrong('has no batch');
      const result = await run(state, batch, i);
      state = result.state;
      compareStep(to, i, wanted, { ...result, images: batch.get('labels').numbers().length });
    }
    await compareState(to, net, file, state);
  },
};

/** What a step of ours gave, on the host. */
interface Measured {
  readonly metrics: { readonly [name: string]: HostArray };
  readonly terms: { readonly [name: string]: HostArray };
  readonly planned: ReturnType<typeof planStep>;
}

/** The steps of a training, compiled: natural or robust, with or without regularizers. */
function steps(file: Field, net: Net, training: Training, device: Device) {
  const { optimizer, plan, tolerance, clipNorm, smallestRadius } = training;
  const regularizers = [tightness({ tolerance }), reluBalance({ tolerance })];
  const compile = (objective: Objective, regularized: boolean) => {
    const range = dataRange(file);
    const kept = regularized ? regularizers : [];
    return device.jit(
      createTrainStep({
        model: net.model,
        objective,
        optimizer,
        clipNorm,
        perturbation: linf({ epsilon: 0, range }),
        regularizers: kept,
      }),
    );
  };
  const compiled = new Map<string, ReturnType<typeof compile>>();
  return async (state: OnDevice<TrainState>, batch: Field, i: number) => {
    const planned = planStep(plan, optimizer, i);
    const { objective, regularized, ramp } = planned;
    const key = `${objective.name} ${regularized}`;
    const step = compiled.get(key) ?? compile(objective, regularized);
    compiled.set(key, step);
    const numbers = ramp > 0 || !regularized ? planned.hyper : { ...planned.hyper, epsilon: smallestRadius };
    const hyper: OnDevice<Hyper> = Object.fromEntries(
      Object.entries(numbers).map(([name, value]) => [name, putScalar(device, value)]),
    );
    const images: OnDevice<Batch> = {
      images: put(device, net.activation('input', batch.get('x').tensor())),
      labels: putLabels(device, batch.get('labels')),
    };
    const { state: next, metrics } = await step(state, images, hyper);
    const { terms, ...rest } = (await readTree<StepMetrics>(metrics)) as Measured['metrics'] & Pick<Measured, 'terms'>;
    for (const used of [state, images, hyper, metrics]) disposeTree(used);
    return { state: next, metrics: rest, terms, planned };
  };
}

function compareStep(
  to: Comparison,
  i: number,
  wanted: Field,
  { metrics, terms, planned, images }: Measured & { readonly images: number },
): void {
  const add = (name: string, actual: number | HostArray | undefined, tolerance: Tolerance = VALUE) => {
    // A step without regularizers has nothing to compare them with.
    if (wanted.has(name)) to.add(`steps.${name}`, actual, wanted.get(name).number(), tolerance, `[${i}]`);
  };
  const fraction = (count: HostArray | undefined) => count && Number(count[0]) / images;
  const [tight, balance] = [tightness().name, reluBalance().name].map((name) => terms[name]);
  const regularizers = tight && balance && Number(tight[0]) + Number(balance[0]);
  const intensity = planned.hyper.regWeight ?? 0;
  add('eps', planned.epsilon, EXACT);
  to.add('steps.robust', Number(planned.ramp > 0), Number(wanted.get('robust').flag()), EXACT, `[${i}]`);
  add('ce_loss', metrics.naturalLoss);
  add('robust_loss', metrics.robustLoss);
  add('error', fraction(metrics.errors));
  add('robust_error', fraction(metrics.unverified));
  const coarse = planned.ramp === 0 && planned.regularized;
  add('L_tightness', tight);
  add('L_relu', balance);
  add('reg_total', regularizers);
  add('reg_intensity', intensity, EXACT);
  add('reg_times_intensity', regularizers && regularizers * intensity);
  add('loss', metrics.loss);
  add('grad_norm_before_clip', metrics.gradNorm, coarse ? COARSE_GRADIENT : GRADIENT);
}

async function compareState(to: Comparison, net: Net, file: Field, state: OnDevice<TrainState>): Promise<void> {
  const exact = file.has('float64') ? file.get('float64') : undefined;
  const rounding = (differences: string, name: string): number =>
    exact?.has(differences) && exact.get(differences).has(name) ? exact.get(differences).get(name).number() : 0;
  for (const [name, { node, name: param, convert }] of net.paramSlots) {
    // A bias in front of a BatchNorm has no true gradient: Adam turns its rounding noise into steps of up to the learning rate.
    if (net.biasesBeforeNorm.has(name)) continue;
    const expected = convert(file.get('final_params').get(name).tensor());
    const tolerance = atLeast(VALUE, rounding('max_abs_param_diff', name));
    to.add(`final_params ${name}`, await state.params[node]![param]!.data(), expected, tolerance);
  }
  const mean = runningMean(file.get('settings').get('lr').number(), file.get('steps').list().length);
  for (const [name, { node, name: stat, convert }] of net.statSlots) {
    const expected = convert(file.get('final_running').get(name).tensor());
    const tolerance = stat === 'mean' ? mean : atLeast(VALUE, rounding('max_abs_running_diff', name));
    to.add(`final_running ${name}`, await state.stats[node]![stat]!.data(), expected, tolerance);
  }
  disposeTree(state);
}

const zerosLike = (tree: NumberTree): NumberTree =>
  Object.fromEntries(
    Object.entries(tree).map(([node, tensors]) => [
      node,
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: data.map(() => 0) }]),
      ),
    ]),
  );
