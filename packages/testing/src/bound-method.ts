import type { BoundMethod, Layer, Op } from '@cert/core';
import {
  checkAffineAt,
  checkAgainstDevice,
  checkBatches,
  checkCorners,
  checkGradients,
  checkMargins,
  checkPoints,
  checkPure,
  checkWidths,
} from './bound-checks.js';
import { overBoxes, type Setting, withSetting } from './bound-setting.js';
import type { ConformanceCase, Forward } from './conformance.js';
import type { CompilingDevice } from './device.js';
import { affineNets, monotoneNets, singleLayers } from './exactness.js';
import { OUTPUT } from './host-bounds.js';
import { furtherModels, modelsAround, type NamedModel, sampleModels } from './models.js';
import { checkByAttack, checkBySampling } from './soundness.js';

/** Options of {@link boundMethodSuite}. */
export interface BoundMethodSuiteOptions {
  /** The method under test. */
  readonly method: BoundMethod;
  /** The plain forward pass, with support for `layers`; `naturalPass` of `@cert/bounds` fits. */
  readonly forward: Forward;
  /**
   * Ops that the method supports; nets with other ops are skipped. Default: conv2d, dense, batchNorm, relu, add, flatten,
   * globalAvgPool, avgPool and affine. {@link boundedOps} are all built-in ops that bounds are defined for.
   */
  readonly ops?: readonly Op[];
  /** Layers of additional ops; each is tested in small nets between affine layers. */
  readonly layers?: readonly Layer[];
  /**
   * Where the method must return the exact range: `layers`, on every single layer (interval arithmetic, the default);
   * `affine`, on whole affine nets (methods that keep linear functions of the input); `output`, on whole affine nets but only for
   * the logits and margins (methods whose bounds in between are another's); `nothing`.
   */
  readonly exactOn?: 'layers' | 'affine' | 'output' | 'nothing';
  /** Whether margins bounded through a specification must be at least as tight as differences of logit bounds; default true. */
  readonly tightMargins?: boolean;
  /** Whether gradients are compared with finite differences; default true. */
  readonly differentiable?: boolean;
  /**
   * Device for compiling the method. If given, every check of values runs eagerly and compiled, and values and gradients of both are
   * compared. A `Device` of `@cert/jit` fits: `{ device: await cpuDevice() }`. Default: eager only.
   */
  readonly device?: CompilingDevice;
  /** Seed of weights, images and boxes; default 0. */
  readonly seed?: number;
}

/**
 * Returns the conformance checks of a bound method, on small random nets of every op: soundness by random points and by a gradient attack
 * at every node and for margins, on balls and on boxes with immutable and one-sided features, order, points, single and empty batches, exactness, gradients, purity. Deterministic for a seed; takes
 * some seconds on the JavaScript backend.
 *
 * @example for (const { name, run } of boundMethodSuite({ method: ibp, forward: naturalPass })) it(name, run);
 */
export function boundMethodSuite(options: BoundMethodSuiteOptions): ConformanceCase[] {
  const { method, ops, layers = [], exactOn = 'layers', tightMargins = true, differentiable = true } = options;
  const nets = [...sampleModels(ops), ...furtherModels(ops), ...layers.flatMap(modelsAround)];
  const { device } = options;
  const onNet = (what: string, net: NamedModel, check: (setting: Setting) => Promise<void>): ConformanceCase => ({
    name: `${method.name}: ${what} (${net.name})`,
    run: () => withSetting(options, net, undefined, check),
  });
  /** A check of values, eagerly and compiled. */
  const twice = (what: string, net: NamedModel, check: (setting: Setting) => Promise<void>): ConformanceCase[] => [
    onNet(what, net, check),
    ...(device === undefined
      ? []
      : [
          {
            name: `${method.name}: ${what}, compiled for ${device.name} (${net.name})`,
            run: () => withSetting(options, net, device, check),
          },
        ]),
  ];

  const whole = exactOn === 'affine' || exactOn === 'output';
  const exact = exactOn === 'nothing' ? [] : [...singleLayers(ops), ...(whole ? affineNets(ops) : [])];
  const checkAffine = exactOn === 'output' ? checkAffineAt([OUTPUT]) : checkAffineAt();
  const monotone = exactOn === 'layers' ? monotoneNets(ops) : [];
  // Cheap checks first, so that a broken rule shows at once.
  return [
    ...nets.flatMap((net) => [
      ...twice('contains random points of the box', net, (s) => overBoxes(s, checkBySampling)),
      ...twice('lower <= upper for narrow and wide boxes', net, checkWidths),
      ...twice('equals the natural pass on single points', net, checkPoints),
      ...twice('bounds one image as in a batch, and an empty batch', net, checkBatches),
      onNet('is a pure function that reads no value', net, checkPure),
      ...(tightMargins ? twice('margins are at least as tight as differences of logits', net, checkMargins) : []),
      ...(device === undefined
        ? []
        : [
            onNet(`gives compiled for ${device.name} what it gives eagerly`, net, (s) =>
              checkAgainstDevice(s, device, differentiable),
            ),
          ]),
    ]),
    ...exact.flatMap((net) => twice('is exact', net, checkAffine)),
    ...monotone.flatMap((net) => twice('is exact', net, (s) => overBoxes(s, checkCorners))),
    ...nets.flatMap((net) => [
      ...(differentiable ? [onNet('has the gradient of finite differences', net, checkGradients)] : []),
      ...twice('withstands a gradient attack on every bound', net, (s) => overBoxes(s, checkByAttack)),
    ]),
  ];
}
