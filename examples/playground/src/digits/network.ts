/** A digit network in the browser: its logits, bounds, margins, interval widths and certified radii. Nothing here knows of the page. */
import { crownIbp, ibp, naturalPass, runningNorm } from '@cert/bounds';
import { type BoundMethod, INPUT, linfBall, type Model, radiusOf, type Scalar, type Tensor, tf } from '@cert/core';
import {
  type Device,
  type DeviceArray,
  disposeTree,
  type OnDevice,
  putBatch,
  putParams,
  putScalars,
  turn,
} from '@cert/jit';
import type { Checkpoint } from '@cert/models';
import { boundVerifier, createPointCertifier, isVerified, type Verifier, type Weights } from '@cert/verify';

/** The bound methods of the page, the looser one first. */
export const METHODS: readonly BoundMethod[] = [ibp, crownIbp];

/** What a method says over a ball. Bounds that are NaN or infinite are kept as they are; they verify nothing. */
export interface MethodBounds {
  /** The method. */
  readonly method: string;
  /** Lower bounds of the logits. */
  readonly lower: readonly number[];
  /** Upper bounds of the logits. */
  readonly upper: readonly number[];
  /** Lower bounds of logit_prediction - logit_j, for the other classes j in increasing order. */
  readonly margins: readonly number[];
  /** Whether no point of the ball has another prediction: all margins are finite and positive. */
  readonly verified: boolean;
}

/** Mean width of the intervals at a node. */
export interface LayerWidth {
  readonly node: string;
  /** Mean of upper - lower, by IBP. */
  readonly width: number;
}

/** What is known of an image at a radius. */
export interface Analysis {
  readonly epsilon: number;
  readonly logits: readonly number[];
  /** The class of the largest logit; null if a logit is not finite. */
  readonly prediction: number | null;
  /** By method, in the order of {@link METHODS}; empty without a prediction. */
  readonly bounds: readonly MethodBounds[];
  /** By node from the input to the logits, without nodes that only reshape. */
  readonly widths: readonly LayerWidth[];
}

/** A network that is ready to be asked. */
export interface DigitNetwork {
  readonly model: Model;
  readonly device: Device;
  readonly weights: OnDevice<Weights>;
  /** The logits of an image. */
  logits(pixels: Float32Array): Promise<number[]>;
  /** Bounds over the l-infinity ball of radius `epsilon`, clipped to [0, 1]. Events of the page are handled between the methods. */
  analyze(pixels: Float32Array, epsilon: number): Promise<Analysis>;
  /**
   * The largest radius at which a method verifies the label, by bisection to 1 %; 0 if there is none. Events of the page are handled between
   * the steps; `signal` stops the search with an exception.
   */
  radius(pixels: Float32Array, label: number, method: BoundMethod, signal?: AbortSignal): Promise<number>;
}

/** Bounds as tensors. */
type BoundTensors = {
  readonly lower: Tensor;
  readonly upper: Tensor;
  readonly widths: { readonly [node: string]: Tensor };
};

/** Puts a network on a device. */
export function createDigitNetwork(device: Device, { model, params, stats }: Checkpoint): DigitNetwork {
  const weights: OnDevice<Weights> = { params: putParams(device, params), stats: putParams(device, stats) };
  const networkOf = (on: Weights) => ({ model, params: on.params, norm: runningNorm(on.stats) });
  const pass = device.jit((on: Weights, images: Tensor) => naturalPass(networkOf(on), images).output);
  const steps = METHODS.map((method) => ({
    method,
    bound: device.jit((on: Weights, images: Tensor, epsilon: Scalar): BoundTensors => {
      const { output, at } = method.bound({ network: networkOf(on), box: linfBall(images, epsilon) });
      const nodes = Object.entries({ ...at, logits: output });
      return {
        ...{ lower: output.lower, upper: output.upper },
        widths: Object.fromEntries(nodes.map(([node, box]) => [node, tf.mul(tf.mean(radiusOf(box)), 2)])),
      };
    }),
    // The same bounds of the margins, with the specification multiplied into the last layer: tighter than the difference of two logits.
    prover: boundVerifier(method).on({ device, model }),
  }));

  const logits = async (pixels: Float32Array): Promise<number[]> => {
    const images = device.put(pixels, [1, ...model.inputShape]);
    const out = await pass(weights, images);
    const values = await numbers(out);
    disposeTree([images, out]);
    return values;
  };

  return {
    ...{ model, device, weights, logits },
    async analyze(pixels, epsilon) {
      const values = await logits(pixels);
      const prediction = predictionOf(values);
      if (prediction === null) return { epsilon, logits: values, prediction, bounds: [], widths: [] };
      const batch = putBatch(device, model, { images: pixels, labels: Int32Array.of(prediction) });
      const scalars = putScalars(device, { epsilon });
      const bounds: MethodBounds[] = [];
      let widths: LayerWidth[] = [];
      for (const { method, bound, prover } of steps) {
        await turn();
        const out = await bound(weights, batch.images, scalars.epsilon!);
        const margins = Array.from(await prover.lowerMargins(weights, batch, scalars));
        const [lower, upper] = [await numbers(out.lower), await numbers(out.upper)];
        // CROWN-IBP has the intervals of IBP at all nodes but the last.
        if (method === ibp) widths = await readWidths(model, out.widths);
        disposeTree(out);
        const verified = isVerified({ lower: smallest(margins), found: marginOf(values, prediction) });
        bounds.push({ method: method.name, lower, upper, margins, verified });
      }
      disposeTree([batch, scalars]);
      return { epsilon, logits: values, prediction, bounds, widths };
    },
    async radius(pixels, label, method, signal) {
      const verifiers = [patient(boundVerifier(method))];
      const certifier = createPointCertifier({ device, model, weights, verifiers, ...(signal && { signal }) });
      try {
        return (await certifier.radius({ pixels, label }, { start: 0.05 })).radius;
      } finally {
        await certifier.dispose();
      }
    },
  };
}

/** A verifier that lets the page handle events before each ball. */
const patient = (verifier: Verifier): Verifier => ({
  ...verifier,
  on(setting) {
    const prover = verifier.on(setting);
    return {
      async lowerMargins(...problem) {
        await turn();
        return prover.lowerMargins(...problem);
      },
      dispose: () => prover.dispose(),
    };
  },
});

const numbers = async (array: DeviceArray): Promise<number[]> => Array.from(await array.data());

function readWidths({ nodes }: Model, widths: { readonly [node: string]: DeviceArray }): Promise<LayerWidth[]> {
  const inner = nodes.slice(0, -1).filter(({ op }) => op !== 'flatten');
  const names = [INPUT, ...inner.map(({ name }) => name), 'logits'];
  return Promise.all(names.map(async (node) => ({ node, width: (await numbers(widths[node]!))[0]! })));
}

/** The class of the largest logit; null if a logit is not finite. */
const predictionOf = (logits: readonly number[]): number | null =>
  logits.every(Number.isFinite) ? logits.indexOf(Math.max(...logits)) : null;

/** Logit of a class minus the largest other one; null if a logit is not finite. */
export function marginOf(logits: readonly number[], label: number): number | null {
  if (!logits.every(Number.isFinite)) return null;
  return logits[label]! - Math.max(...logits.filter((_, j) => j !== label));
}

/** The smallest of some bounds; null if one of them is not finite. */
export const smallest = (bounds: readonly number[]): number | null =>
  bounds.length > 0 && bounds.every(Number.isFinite) ? Math.min(...bounds) : null;
