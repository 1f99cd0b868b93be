export { type BoundMethodSuiteOptions, boundMethodSuite } from './bound-method.js';
export type { ConformanceCase, Forward } from './conformance.js';
export { checkGradient, type GradientOptions } from './gradient.js';
export type { Values } from './host.js';
export type { CallTensors, EvaluateBounds } from './host-bounds.js';
export { type RegularizerSuiteOptions, regularizerSuite } from './regularizer.js';
