export { type BoundMethodSuiteOptions, boundMethodSuite } from './bound-method.js';
export { type CompiledOptions, checkCompiled } from './check-compiled.js';
export type { ConformanceCase, Forward } from './conformance.js';
export type { CompilingDevice, DeviceFunctionOfList, DeviceTensor } from './device.js';
export { checkGradient, type GradientOptions } from './gradient.js';
export { boundedOps } from './models.js';
export { type ObjectiveSuiteOptions, objectiveSuite, type TestedContext, type TestedObjective } from './objective.js';
export { type RegularizerSuiteOptions, regularizerSuite } from './regularizer.js';
