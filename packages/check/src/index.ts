export { checkCertificate, createChecker, type ReadFile, type Verdict } from './check.js';
export type { Level } from './ibp.js';
