import type { Plugin } from '@cert/trainer/pipeline';
import { absoluteRules } from './absolute.js';
import { method } from './method.js';
import { model } from './model.js';

export { absolute, absoluteRules } from './absolute.js';
export { method } from './method.js';
export { model } from './model.js';

/** What `cert train --plugin {{name}}` adds to its names. */
const plugin: Plugin = {
  name: '{{name}}',
  ops: { absolute: absoluteRules },
  boundMethods: { '{{short}}': method },
  models: { '{{short}}': model },
};
export default plugin;
