export { normalized } from './cert-norm.js';
export { ibpEvaluation } from './ibp.js';
export { ibpTraining } from './ibp-train.js';
export { initialization } from './init.js';
export { regularization } from './reg.js';
export { schedules } from './schedules.js';
export { trajectory } from './trajectory.js';
