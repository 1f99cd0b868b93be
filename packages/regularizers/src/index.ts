export { l1, l1Norm } from './l1.js';
export { type LayerBalance, type ReluBalanceReport, reluBalance, reluBalanceReport } from './relu-balance.js';
export { reluStability } from './relu-stability.js';
export { type LayerTightness, type TightnessReport, tightness, tightnessReport } from './tightness.js';
export type { ToleranceOptions } from './tolerance.js';
export { volume } from './volume.js';
export { type Weighted, weightedSum } from './weighted-sum.js';
