export { readVnnlib } from './vnnlib/read-vnnlib.js';
