export { foldBatchNorm, type Network } from './fold-batch-norm.js';
export { type CenterRadius, ibp } from './ibp.js';
export {
  applyRule,
  boundMethod,
  type Context,
  extend,
  type ForwardMethod,
  type ForwardRule,
  type ForwardRules,
  type ParamsOf,
  propagate,
  type RuleTable,
} from './method.js';
export { batchMoments, type NaturalPass, natural, naturalPass } from './natural.js';
export { runningNorm, updateRunning } from './norm.js';
export { fuseSpec, marginSpec } from './spec.js';
