export { type BoundMethodSuiteOptions, boundMethodSuite } from './bound-method.js';
export { type CompiledOptions, checkCompiled } from './check-compiled.js';
export type { ConformanceCase, Forward } from './conformance.js';
export type { CompilingDevice, DeviceFunctionOfList, DeviceTensor } from './device.js';
export { checkGradient, type GradientOptions } from './gradient.js';
export { type LinesSuiteOptions, linesSuite } from './lines.js';
export type { TestedLine, TestedLines } from './lines-grid.js';
export { boundedOps } from './models.js';
export {
  type ObjectiveSuiteOptions,
  objectiveSuite,
  type TestedChoice,
  type TestedChoiceContext,
  type TestedContext,
  type TestedObjective,
} from './objective.js';
export { type RegularizerSuiteOptions, regularizerSuite } from './regularizer.js';
