export { type WebDevice, type WebOptions, webDevice } from '../devices/web.js';
export type { WebBackend } from '../devices/web-runtime.js';
