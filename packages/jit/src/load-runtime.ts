import { CertError } from '@cert/core';
import type * as Ort from 'onnxruntime-node';

/**
 * ONNX Runtime for a device.
 *
 * @param load default `import('onnxruntime-node')`
 * @throws CertError `missing-package`
 */
export async function loadRuntime(
  device: string,
  load: () => Promise<typeof Ort> = () => import('onnxruntime-node'),
): Promise<typeof Ort> {
  try {
    return await load();
  } catch (cause) {
    throw new CertError(
      'missing-package',
      `The device "${device}" needs the package onnxruntime-node, which is not installed or does not load.`,
      'Install it: npm install onnxruntime-node (or run on the device "tfjs", which needs nothing, slowly).',
      { cause },
    );
  }
}

/** What a description calls the runtime. */
export const runtimeName = (ort: typeof Ort): string => `ONNX Runtime ${ort.env.versions.common ?? ''}`.trim();
