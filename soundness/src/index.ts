/** What tests of any package may use: nothing behind this file needs more than `@cert/core`, so that tests of `@cert/bounds` and others may, too. */
export { type Ball, contains, drawPoint, drawRealPoint, float32Ends } from './box.js';
export {
  add as addDyadic,
  compare as compareDyadic,
  type Dyadic,
  dyadic,
  subtract as subtractDyadic,
  toNumber,
} from './exact/dyadic.js';
export { type ExactValues, executeExact } from './exact/execute-exact.js';
export { type ReferenceOptions, referenceIbp } from './exact/reference-ibp.js';
export { type Executor, execute, executor } from './execute/execute.js';
export {
  type Allowed,
  drawExecution,
  type Execution,
  listExecutions,
  PLAIN,
  type SumOrder,
} from './execute/execution.js';
export { fma, nextDown, nextUp, sumDown, sumUp } from './execute/float32.js';
export type { AdversarialNetwork } from './kinds/adversarial-network.js';
export { adversarialNetworks } from './kinds/adversarial-networks.js';
export { marginOf, misclassifiedExactly } from './kinds/build.js';
export type { HostNetwork } from './network.js';
export { cancellingNetwork, smallModels } from './random/cancelling-network.js';
export { drawProblem, GRAPHS, type RandomProblem } from './random/draw-network.js';
export {
  addCounts,
  type BoundFunction,
  type CheckedBounds,
  type Count,
  checkContains,
  type Level,
  noCount,
  reproduce,
  type SampleOptions,
  type Sides,
  type Violation,
} from './sampler/check-contains.js';
