import { defineConfig } from 'tsup';
import { preset } from '../../tsup.preset';

// The bundler of declarations drops an import that names nothing: this one gives tensors the types of their chained methods.
const banner = "import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';";

export default defineConfig({ ...preset, dts: { ...preset.dts, banner } });
