import { CertError } from '@cert/core';
import type * as Ort from 'onnxruntime-node';
import { disableTelemetry } from './telemetry.js';

const isRuntime = (module: unknown): module is typeof Ort =>
  typeof module === 'object' && module !== null && 'InferenceSession' in module && 'Tensor' in module;

/**
 * ONNX Runtime for a device, with its telemetry switched off (see {@link disableTelemetry}).
 *
 * @param load default `import('onnxruntime-node')`. What it gives has no type here, as the package and so its types may be missing
 * @throws CertError `missing-package`, also when what is loaded is something else
 */
export async function loadRuntime(
  device: string,
  load: () => Promise<unknown> = () => import('onnxruntime-node'),
): Promise<typeof Ort> {
  await disableTelemetry();
  try {
    const loaded = await load();
    if (!isRuntime(loaded)) throw new Error('The module has no InferenceSession and Tensor.');
    return loaded;
  } catch (cause) {
    throw new CertError(
      'missing-package',
      `The device "${device}" needs the package onnxruntime-node, which is not installed or does not load.`,
      // The install script downloads the CUDA provider and fails behind a firewall.
      `Install the package: npm install onnxruntime-node@1.30${device === 'cuda' ? '' : ' --ignore-scripts'} (or use the device "tfjs", which needs no package but is slow).`,
      { cause },
    );
  }
}

/** What a description calls the runtime. */
export const runtimeName = (ort: typeof Ort): string => `ONNX Runtime ${ort.env.versions.common ?? ''}`.trim();
