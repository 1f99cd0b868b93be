export type { Level } from './bounds.js';
export { checkCertificate, createChecker, type ReadFile, type Verdict } from './check.js';
