export {
  expectedGains,
  formatGainReport,
  type GainOptions,
  type GainRow,
  gainReport,
  gainRows,
  meanRadii,
} from './gain-report.js';
export { type IbpPlanEntry, ibpInit, ibpPlan } from './ibp.js';
export { type Initializer, initializer, type KernelDraw } from './initialize.js';
export { kaimingInit } from './kaiming.js';
export { orthogonalInit } from './orthogonal.js';
export { xavierInit } from './xavier.js';
