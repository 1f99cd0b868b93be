export {
  type BackwardContext,
  type BackwardRule,
  type BackwardRules,
  type BackwardSetting,
  type BackwardTable,
  extendBackward,
  extendLines,
  linearBound,
  lowerBound,
} from './backward.js';
export { type CrownOptions, crown, crownBounds } from './crown.js';
export { crownIbp, crownIbpOf } from './crown-ibp.js';
export { crownMargins, type LinearRelaxationOptions, type SpecifiedProblem } from './crown-margins.js';
export { foldBatchNorm, foldedModel } from './fold-batch-norm.js';
export { type CenterRadius, ibp } from './ibp.js';
export { type LinearBound, leastOf } from './least.js';
export { linearRelaxation } from './linear-relaxation.js';
export { type Line, type LineRule, type LineRules, type Lines, type LineTable, linesOf } from './lines.js';
export { type FusedExponentials, fusedExponentials } from './loss-fusion.js';
export {
  applyRule,
  boundMethod,
  type Context,
  extend,
  type ForwardMethod,
  type ForwardRule,
  type ForwardRules,
  type ParamsOf,
  type PropagateOptions,
  propagate,
  type RuleTable,
  type Walk,
} from './method.js';
export { batchMoments, type NaturalPass, natural, naturalPass } from './natural.js';
export { boundNeurons, type Neurons, neuronsOf } from './neurons.js';
export { nonlinearInputs } from './nonlinear-inputs.js';
export { runningNorm, updateRunning } from './norm.js';
export { type BackwardStep, coefficientsOf, type Rows, toRows, unitRows } from './rows.js';
export { extendRules, increasing, type OpRules, type Rules, type RulesByOp, standardRules } from './rules.js';
export type { SoundCenterRadius } from './sound/enclosures.js';
export { type Arithmetic, decimalDown, decimalUp, gamma, type SoundLevel } from './sound/rounding.js';
export { epsilonUp, soundBall, soundBox } from './sound/sound-ball.js';
export { type SoundIbpOptions, soundIbp } from './sound/sound-ibp.js';
export { addRoundingsOf, roundingsOf, shiftRoundingsOf, termsOf } from './sound/terms.js';
export { fuseSpec, marginSpec } from './spec.js';
