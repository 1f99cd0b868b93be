import { modelOptions, type Plugin, withOptions } from '@cert/trainer/pipeline';
import { elbowRules } from './elbow.js';
import { pooledMlp } from './pooled-mlp.js';
import { zonotope } from './zonotope.js';

export { elbow, elbowRules } from './elbow.js';
export { pooledMlp } from './pooled-mlp.js';
export { type Zonotope, type ZonotopeOptions, zonotope } from './zonotope.js';

/** For `cert train --plugin`. */
const plugin: Plugin = {
  name: 'cert-plugin-zonotope',
  ops: { elbow: elbowRules },
  boundMethods: { zonotope: zonotope() },
  models: {
    'pooled-mlp': withOptions({ width: modelOptions.width, dense: modelOptions.dense }, (size, images) =>
      pooledMlp({ ...size, ...images }),
    ),
  },
};
export default plugin;
