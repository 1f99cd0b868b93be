import util from 'node:util';
import { CertError, tf } from '@cert/core';
import type { Device } from './device.js';
import { eagerDevice } from './eager.js';

/** Options of the devices of the native TensorFlow packages. */
export interface TfjsNodeOptions {
  /** Loads the package; default `import()` of it. */
  readonly load?: () => Promise<unknown>;
}

/** The backend that both packages register with TensorFlow.js. */
const BACKEND = 'tensorflow';

/**
 * Opens a device that runs functions eagerly on the CPU kernels of TensorFlow, with the package `@tensorflow/tfjs-node`.
 *
 * @throws CertError `missing-package` if the package is not installed, does not load or has a different TensorFlow.js version
 */
export const tfjsNodeDevice = (options: TfjsNodeOptions = {}): Promise<Device> => open('tfjs-node', options);

/**
 * Opens a device that runs functions eagerly on the CUDA kernels of TensorFlow, with the package `@tensorflow/tfjs-node-gpu`. If the CUDA
 * libraries do not load, TensorFlow silently uses the CPU: the device then has a `warning`.
 *
 * @throws CertError `missing-package` as {@link tfjsNodeDevice}
 */
export const tfjsNodeGpuDevice = (options: TfjsNodeOptions = {}): Promise<Device> => open('tfjs-node-gpu', options);

async function open(name: 'tfjs-node' | 'tfjs-node-gpu', options: TfjsNodeOptions): Promise<Device> {
  const packageName: string = `@tensorflow/${name}`;
  const wantsGpu = name === 'tfjs-node-gpu';
  // The package makes its backend the current one when it is loaded.
  tf.backend();
  const before = tf.getBackend();
  restoreUtil(util);
  const loaded = await load(name, options.load ?? (() => import(packageName)));
  try {
    const version = versionOf(loaded);
    if (version === undefined || minor(version) !== minor(tf.version_core)) throw otherVersion(name, version);
    const backend = tf.findBackend(BACKEND);
    if (backend === null) throw otherInstance(name);
    if (flag(backend, 'isGPUPackage') !== wantsGpu) throw otherPackage(name);
    const onGpu = flag(backend, 'isUsingGpuDevice');
    await tf.setBackend(BACKEND);
    return eagerDevice({
      name,
      description: `${packageName} ${version}, ${onGpu ? 'GPU' : 'CPU'}`,
      ...(wantsGpu && !onGpu && { warning: FELL_BACK }),
      dispose: () => tf.setBackend(before),
    });
  } catch (error) {
    await tf.setBackend(before);
    throw error;
  }
}

const FELL_BACK =
  'tfjs-node-gpu runs on the CPU: TensorFlow found no usable GPU. Install the NVIDIA driver, CUDA 11 and cuDNN 8, with their folders in LD_LIBRARY_PATH.';

/**
 * Node 23 removed functions that the packages call (`util.isArray`, `util.isNullOrUndefined`). Without them the first op fails.
 *
 * @param target the module object of `node:util`
 */
export function restoreUtil(target: object): void {
  const removed = {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isString: (value: unknown) => typeof value === 'string',
  };
  for (const [name, value] of Object.entries(removed)) {
    if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
}

async function load(name: string, importPackage: () => Promise<unknown>): Promise<unknown> {
  try {
    return await importPackage();
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    const absent = property(cause, 'code') === 'ERR_MODULE_NOT_FOUND';
    throw new CertError(
      'missing-package',
      `The device "${name}" needs the package @tensorflow/${name}, which ${absent ? 'is not installed' : `does not load: ${reason}`}.`,
      `Install the package and let its install script run: npm install @tensorflow/${name}@${tf.version_core}`,
      { cause },
    );
  }
}

/** `version['tfjs-node']` of the loaded package, which is CommonJS. */
function versionOf(loaded: unknown): string | undefined {
  const module = property(loaded, 'default') ?? loaded;
  const version = property(property(module, 'version'), 'tfjs-node');
  return typeof version === 'string' ? version : undefined;
}

const property = (from: unknown, name: string): unknown =>
  typeof from === 'object' && from !== null ? Object.entries(from).find(([key]) => key === name)?.[1] : undefined;

const flag = (backend: object, name: string): boolean => property(backend, name) === true;

const minor = (version: string): string => version.split('.').slice(0, 2).join('.');

const otherVersion = (name: string, version = 'of an unknown version') =>
  new CertError(
    'missing-package',
    `The package @tensorflow/${name} is ${version}, but TensorFlow.js is ${tf.version_core}.`,
    `Install the same version: npm install @tensorflow/${name}@${tf.version_core}`,
  );

const otherInstance = (name: string) =>
  new CertError(
    'missing-package',
    `The package @tensorflow/${name} loaded a second copy of TensorFlow.js, so its backend is not registered in the first one.`,
    `Remove the duplicate: npm dedupe (npm ls @tensorflow/tfjs-core must list only ${tf.version_core}).`,
  );

const otherPackage = (name: string) =>
  new CertError(
    'missing-package',
    `The device "${name}" is not available in this process: tfjs-node and tfjs-node-gpu share a backend name, and the other one is already loaded.`,
    'Use the device in a separate process.',
  );
