export type {
  Batch,
  BatchNormStats,
  BoundMethod,
  Bounds,
  HostBatch,
  Hyper,
  Moments,
  Network,
  Problem,
  Regularizer,
  RegularizerContext,
  Spec,
  TrainBatch,
} from './bounds.js';
export { type CategoryVariants, categoryMask, categoryVariants, fixedCategories, hullOf } from './categories.js';
export { checkModel } from './check-model.js';
export { type Differentiated, mask, stopGradient, withGradient } from './custom-gradient.js';
export { checkInRange, clipToRange } from './data-range.js';
export { CertError, type CertErrorCode } from './errors.js';
export { type ValueAndGrad, valueAndGrad } from './gradient.js';
export {
  type AsHost,
  type AsTensors,
  type HostParams,
  type HostTensor,
  type HostTree,
  isHostTensor,
  type Readable,
  toHost,
  toTensors,
} from './host.js';
export {
  centerOf,
  checkEpsilon,
  checkInterval,
  type EuclideanBall,
  fromBounds,
  fromCenterRadius,
  type Interval,
  type IntervalTensor,
  nonNegativeRadius,
  radiusOf,
  soundRadiusOf,
} from './interval.js';
export { describeValue, parseJson } from './json.js';
export {
  add,
  affine,
  avgPool,
  batchNorm,
  type Conv2dOptions,
  concat,
  conv2d,
  dense,
  flatten,
  globalAvgPool,
  leakyRelu,
  maxPool,
  type Normalization,
  normalize,
  type PoolOptions,
  relu,
  reshape,
  sigmoid,
  softmax,
  tanh,
  transpose,
} from './layers.js';
export { advantages, logSumExp } from './log-sum-exp.js';
export { mean } from './mean.js';
export {
  type GraphBuilder,
  graph,
  INPUT,
  type Layer,
  type Model,
  type Node,
  type NodeOf,
  type Op,
  type OpMap,
  type OpSignature,
  reluInputs,
  type Shape,
  sequential,
  sizeOf,
} from './model.js';
export {
  buildParams,
  checkParams,
  countParams,
  filledTensor,
  initialStats,
  paramSpecs,
  statSpecs,
  type TensorSpec,
} from './params.js';
export { type DataRange, eachFeature, everyFeature, type PerFeature, perFeatureTensor } from './per-feature.js';
export {
  type LinfOptions,
  l2,
  linf,
  linfBall,
  perturbationBox,
  perturbationEnds,
  UNIT_BALL,
} from './perturbation.js';
export type { L2Perturbation, LinfPerturbation, Perturbation } from './perturbation-set.js';
export { perturbationReach, projection, steepest } from './projection.js';
export {
  type InputBox,
  type OutputIntervalOptions,
  type OutputRequirement,
  outputInterval,
  requireAll,
  requireAny,
  type TopKOptions,
  topK,
} from './properties.js';
export type { LinearInequality, Property, ViolationCase } from './property.js';
export { createRng, type Rng } from './rng.js';
export { subModel } from './sub-model.js';
export {
  type DataType,
  type Rank,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  type TF,
  type TypedArray,
  tf,
} from './tf.js';
export { type ToleranceNetwork, withLabel, withLabelUnits, withoutLabel, withTolerance } from './tolerance.js';
export {
  flattenTree,
  type IsLeaf,
  type Leaf,
  mapParams,
  mapTree,
  type Params,
  type Stats,
  type Tree,
  unflattenTree,
  zipParams,
  zipTree,
} from './tree.js';
export { type PairedNetwork, type TwoCopiesOptions, twoCopies } from './two-copies.js';
export { type Extent, type Padding, placesOf, reachOf, type Window, windowOf } from './window.js';
