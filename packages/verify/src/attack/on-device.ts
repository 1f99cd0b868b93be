import { naturalPass, type RuleTable, runningNorm } from '@cert/bounds';
import { type Batch, type Hyper, type Model, type Shape, sizeOf, type Tensor, type Tensor2D, tf } from '@cert/core';
import { type DeviceArray, disposeTree, putScalars } from '@cert/jit';
import { readMargins } from '../margins.js';
import type { Weights } from '../verifier.js';
import type { Attacker, AttackImage, AttackSetting } from './attack.js';

/** Tensors by name. */
type Tensors = { readonly [name: string]: Tensor };

/** What one step of an attack computes from; `batch` is the number of places. */
interface StepInput {
  readonly weights: Weights;
  /** The images [batch, ...inputShape] and their labels, int32 [batch]. */
  readonly batch: Batch;
  /** Where the run of each place starts, [batch, ...inputShape]. */
  readonly start: Tensor;
  /** What the step before returned; of any value where a run has just begun. */
  readonly state: Tensors;
  /** 1 for a run that begins with this step, else 0: [batch]. */
  readonly fresh: Tensor;
  /** The numbers by which the host steers the runs, [batch, columns]. */
  readonly control: Tensor;
  /** The radius, in the units of the images. */
  readonly epsilon: Tensor;
}

/** What one step of an attack returns. */
interface StepOutput {
  /** The points that it visited, [batch, ...inputShape]. */
  readonly visited: Tensor;
  /** The logits there, [batch, classes]. */
  readonly logits: Tensor;
  /** > 0 where the point lies outside the ball, [batch]; default nowhere. */
  readonly outside?: Tensor;
  /** For the next step: the tensors that {@link DeviceAttack.state} names. */
  readonly state: Tensors;
}

/** A run of an attack as the host sees it. */
interface SteeredRun {
  /** Where it starts, like the image; the step clips it. */
  readonly start: Float32Array;
  /** The numbers for the step that visits a point, counted from 0; always as many. */
  control(visit: number): readonly number[];
}

/** An attack whose points and best values stay on the device from step to step. */
export interface DeviceAttack {
  /** Its state: tensors like the images, or one number for each place. */
  readonly state: { readonly [name: string]: 'image' | 'number' };
  /** How many numbers steer a run. */
  readonly columns: number;
  /** Begins a run. `logits` are those of the image itself, empty unless the attack asks for them. */
  begin(image: AttackImage, run: number, logits: ArrayLike<number>): SteeredRun;
  /** Whether {@link DeviceAttack.begin} needs the logits of the image; default false. */
  readonly needsLogits?: boolean;
  /** One step, a pure function that reads no value. A NaN in the state of one place must not reach another. */
  step(input: StepInput): StepOutput;
}

/** Runs an attack that is written as a step on the device: one compiled function, whose state is fed back to it. */
export function deviceAttacker(setting: AttackSetting, attack: DeviceAttack): Attacker {
  const { device, model, weights, places } = setting;
  const { epsilon } = setting.perturbation;
  const columns = attack.columns + 1;
  const step = device.jit(
    (weights: Weights, batch: Batch, start: Tensor, state: Tensors, control: Tensor, hyper: Hyper) => {
      const part = (from: number, count: number) => tf.slice(control as Tensor2D, [0, from], [places, count]);
      const fresh = tf.reshape(part(0, 1), [places]);
      const { outside, ...out } = attack.step({
        ...{ weights, batch, start, state, fresh, control: part(1, attack.columns), epsilon: hyper.epsilon! },
      });
      return { ...out, outside: outside ?? tf.zerosLike(fresh) };
    },
  );
  const logitsOf = cleanLogits(setting);
  const size = sizeOf(model.inputShape);
  const shape = [places, ...model.inputShape];
  const host = {
    images: new Float32Array(places * size),
    labels: new Int32Array(places),
    start: new Float32Array(places * size),
    control: new Float32Array(places * columns),
  };
  const began = new Map<number, { readonly image: AttackImage; readonly run: number }>();
  const runs: ({ readonly steered: SteeredRun; visits: number } | undefined)[] = Array.from({ length: places });
  const hyper = putScalars(device, { epsilon });
  let inputs: { batch: { images: DeviceArray; labels: DeviceArray }; start: DeviceArray } | undefined;
  let state = zeros(attack.state, shape, (values, like) => device.put(values, like));
  let visited = device.put(host.images, shape);

  async function beginRuns(): Promise<void> {
    for (const [place, { image }] of began) {
      host.images.set(image.pixels, place * size);
      host.labels[place] = image.label;
    }
    const batch = { images: device.put(host.images, shape), labels: device.put(host.labels, [places]) };
    if (attack.needsLogits) await logitsOf.learn(began, batch.images);
    for (const [place, { image, run }] of began) {
      const steered = attack.begin(image, run, logitsOf.of(image));
      host.start.set(steered.start, place * size);
      runs[place] = { steered, visits: 0 };
    }
    began.clear();
    disposeTree(inputs);
    inputs = { batch, start: device.put(host.start, shape) };
  }

  return {
    begin(place, image, run) {
      began.set(place, { image, run });
    },
    async step() {
      if (began.size > 0 || inputs === undefined) await beginRuns();
      runs.forEach((run, place) => {
        if (run === undefined) return;
        const numbers = [run.visits === 0 ? 1 : 0, ...run.steered.control(run.visits)];
        run.visits++;
        host.control.set(numbers, place * columns);
      });
      const control = device.put(host.control, [places, columns]);
      const out = await step(weights, inputs!.batch, inputs!.start, state, control, hyper);
      const [logits, outside] = [await out.logits.data(), await out.outside.data()];
      disposeTree([control, state, visited, out.logits, out.outside]);
      state = out.state;
      visited = out.visited;
      return readMargins(logits, host.labels, model.classes).map(({ margin }, place) =>
        outside[place]! > 0 ? Number.POSITIVE_INFINITY : margin,
      );
    },
    visited: () => visited,
    async dispose() {
      disposeTree([inputs, state, visited, hyper]);
      await logitsOf.dispose();
      await step.dispose();
    },
  };
}

/** A state of zeros. */
const zeros = (
  state: DeviceAttack['state'],
  shape: Shape,
  put: (values: Float32Array, shape: Shape) => DeviceArray,
): { readonly [name: string]: DeviceArray } =>
  Object.fromEntries(
    Object.entries(state).map(([name, kind]) => {
      const like = kind === 'image' ? shape : shape.slice(0, 1);
      return [name, put(new Float32Array(sizeOf(like)), like)];
    }),
  );

/** The logits of images without perturbation, computed once for each image. */
function cleanLogits({ device, model, weights, natural }: AttackSetting) {
  const pass = device.jit((weights: Weights, images: Tensor) => ({ logits: forward(model, weights, images, natural) }));
  const known = new WeakMap<AttackImage, Float32Array>();
  return {
    /** @param began the images by their places in the batch */
    async learn(began: ReadonlyMap<number, { readonly image: AttackImage }>, images: DeviceArray): Promise<void> {
      if ([...began.values()].every(({ image }) => known.has(image))) return;
      const out = await pass(weights, images);
      const logits = Float32Array.from(await out.logits.data());
      disposeTree(out);
      for (const [place, { image }] of began) {
        known.set(image, logits.slice(place * model.classes, (place + 1) * model.classes));
      }
    },
    of: (image: AttackImage): Float32Array => known.get(image) ?? new Float32Array(0),
    dispose: () => pass.dispose(),
  };
}

/** The logits [batch, classes] at points, with running statistics. */
export const forward = (
  model: Model,
  { params, stats }: Weights,
  points: Tensor,
  natural?: RuleTable<Tensor> | undefined,
): Tensor => naturalPass({ model, params, norm: runningNorm(stats) }, points, natural).output;
