/** Runs the command with the arguments of this script, and then names the modules of TensorFlow.js and ONNX Runtime that it has loaded. */
import { createRequire } from 'node:module';

const { cache } = createRequire(import.meta.url);
process.on('exit', () => {
  const heavy = Object.keys(cache).filter((file) => /@tensorflow|onnxruntime/.test(file));
  process.stderr.write(`LOADED ${heavy.length}\n`);
});
await import('../src/cli.js');
