import { buildParams, CertError, createRng, type Model, type Params, paramSpecs, type Rng, tf } from '@cert/core';
import { fanIn, paramShapes } from './fan.js';

/**
 * Draws the parameters of a model: a pure function of model and seed, the caller owns the tensors. Every tensor has a random
 * stream of its own, named after its node and itself, so that adding or reordering nodes leaves the others' values alone.
 */
export type Initializer = (model: Model, seed: number) => Params;

/** A kernel that wants its values. */
export interface KernelDraw {
  /** The name of its node. */
  readonly node: string;
  /** Inputs that one output sees: of a convolution kernel * kernel * channels / groups. */
  readonly fanIn: number;
  /** Outputs: filters, or units. */
  readonly fanOut: number;
  /** The random stream of this very tensor. */
  readonly rng: Rng;
}

/**
 * An initializer from a rule for kernels. Everything else is the same for all: a bias is uniform in +-1/sqrt(fan_in) of the
 * kernel beside it (0 without one), gamma 1, beta and any other vector 0.
 *
 * @param kernel for a model, a function that draws fanIn * fanOut numbers, row-major [..., fanOut]
 * @returns the initializer; it throws CertError `bad-model` naming the node for a parameter of another op that is no vector
 * and not called "kernel"
 */
export const initializer =
  (kernel: (model: Model) => (draw: KernelDraw) => Float32Array): Initializer =>
  (model, seed) => {
    const rule = kernel(model);
    const nodes = new Map(model.nodes.map((node) => [node.name, paramShapes(node)]));
    return buildParams(paramSpecs(model), ({ node, name, shape }) => {
      const rng = createRng(seed, 'weights', node, name);
      if (name === 'kernel' && shape.length > 1) {
        return tf.tensor(rule({ node, fanIn: fanIn(shape), fanOut: shape.at(-1)!, rng }), [...shape]);
      }
      const beside = nodes.get(node)?.kernel;
      if (name === 'bias' && beside !== undefined) {
        return tf.tensor(uniform(rng, shape[0]!, 1 / Math.sqrt(fanIn(beside))), [...shape]);
      }
      if (name === 'gamma') return tf.ones([...shape]);
      if (shape.length === 1) return tf.zeros([...shape]);
      throw new CertError(
        'bad-model',
        `No rule says how to initialize "${node}.${name}" of shape [${shape}].`,
        'Call the weight of a new op "kernel" (initialized by its fan-in), or set this tensor in the parameters yourself.',
      );
    });
  };

/** `count` numbers uniform in [-limit, limit). */
export const uniform = (rng: Rng, count: number, limit: number): Float32Array =>
  Float32Array.from({ length: count }, () => (2 * rng.uniform() - 1) * limit);

/** `count` normal numbers with mean 0. */
export const normal = (rng: Rng, count: number, std: number): Float32Array =>
  Float32Array.from({ length: count }, () => rng.normal() * std);
