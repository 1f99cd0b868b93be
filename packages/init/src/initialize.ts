import {
  buildParams,
  CertError,
  createRng,
  filledTensor,
  type HostParams,
  type HostTensor,
  type Model,
  paramSpecs,
  type Rng,
  type Shape,
  sizeOf,
} from '@cert/core';
import { fanIn, paramShapes } from './fan.js';

/**
 * Returns the initial parameters of a model on the host: a pure function of model and seed. `toTensors` of `@cert/core` converts them to
 * tensors. Every tensor has a separate random stream, named after node and tensor, so adding or reordering nodes does not change other
 * tensors.
 */
export type Initializer = (model: Model, seed: number) => HostParams;

/** A kernel to draw. */
export interface KernelDraw {
  /** The name of its node. */
  readonly node: string;
  /** Inputs that one output sees: of a convolution kernel * kernel * channels / groups. */
  readonly fanIn: number;
  /** Outputs: filters, or units. */
  readonly fanOut: number;
  /** Random stream of this tensor. */
  readonly rng: Rng;
}

/**
 * Creates an initializer from a rule for kernels. All initializers draw other tensors alike: a bias uniform in +-1/sqrt(fan_in) of the
 * kernel of the node (0 without a kernel), gamma 1, beta and any other vector 0.
 *
 * @param kernel for a model, a function that draws fanIn * fanOut numbers, row-major [..., fanOut]
 * @returns the initializer; it throws CertError `bad-model` naming the node for a parameter that is neither a vector nor named "kernel"
 */
export const initializer =
  (kernel: (model: Model) => (draw: KernelDraw) => Float32Array): Initializer =>
  (model, seed) => {
    const rule = kernel(model);
    const nodes = new Map(model.nodes.map((node) => [node.name, paramShapes(node)]));
    return buildParams(paramSpecs(model), ({ node, name, shape }): HostTensor => {
      const rng = createRng(seed, 'weights', node, name);
      if (name === 'kernel' && shape.length > 1) {
        return drawn(node, shape, rule({ node, fanIn: fanIn(shape), fanOut: shape.at(-1)!, rng }));
      }
      const beside = nodes.get(node)?.kernel;
      if (name === 'bias' && beside !== undefined) {
        return { shape, data: uniform(rng, shape[0]!, 1 / Math.sqrt(fanIn(beside))) };
      }
      if (name === 'gamma') return filledTensor(shape, 1);
      if (shape.length === 1) return filledTensor(shape, 0);
      throw new CertError(
        'bad-model',
        `No rule initializes "${node}.${name}" of shape [${shape}].`,
        'Name the weight of a new op "kernel" (initialized by its fan-in), or set this tensor in the parameters yourself.',
      );
    });
  };

/** @throws CertError `shape-mismatch` when a rule drew another number of values than the kernel has */
function drawn(node: string, shape: Shape, data: Float32Array): HostTensor {
  if (data.length === sizeOf(shape)) return { shape, data };
  throw new CertError(
    'shape-mismatch',
    `The rule of an initializer returned ${data.length} numbers for the kernel of "${node}", which has ${sizeOf(shape)} elements.`,
    'Return fanIn * fanOut numbers, row-major [..., fanOut].',
  );
}

/** `count` numbers uniform in [-limit, limit). */
export const uniform = (rng: Rng, count: number, limit: number): Float32Array =>
  Float32Array.from({ length: count }, () => (2 * rng.uniform() - 1) * limit);

/** `count` normal numbers with mean 0. */
export const normal = (rng: Rng, count: number, std: number): Float32Array =>
  Float32Array.from({ length: count }, () => rng.normal() * std);
