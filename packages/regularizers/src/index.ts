export { type LayerBalance, type ReluBalanceReport, reluBalance, reluBalanceReport } from './relu-balance.js';
export { type LayerTightness, type TightnessReport, tightness, tightnessReport } from './tightness.js';
export type { ToleranceOptions } from './tolerance.js';
export { type Weighted, weightedSum } from './weighted-sum.js';
