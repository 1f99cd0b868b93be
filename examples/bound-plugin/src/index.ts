import { modelOptions, type Plugin, withOptions } from '@cert/trainer/pipeline';
import { leakyReluRules } from './leaky-relu.js';
import { pooledMlp } from './pooled-mlp.js';
import { zonotope } from './zonotope.js';

export { leakyRelu, leakyReluRules } from './leaky-relu.js';
export { pooledMlp } from './pooled-mlp.js';
export { type Zonotope, type ZonotopeOptions, zonotope } from './zonotope.js';

/** For `cert train --plugin`. */
const plugin: Plugin = {
  name: 'cert-plugin-zonotope',
  ops: { leakyRelu: leakyReluRules },
  boundMethods: { zonotope: zonotope() },
  models: {
    'pooled-mlp': withOptions({ width: modelOptions.width, dense: modelOptions.dense }, (size, images) =>
      pooledMlp({ ...size, ...images }),
    ),
  },
};
export default plugin;
