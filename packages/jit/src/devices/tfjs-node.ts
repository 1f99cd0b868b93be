import util from 'node:util';
import { CertError, tf } from '@cert/core';
import type { Device } from './device.js';
import { eagerDevice } from './eager.js';
import { acceptPadding } from './explicit-padding.js';

/** Options of the devices of the native TensorFlow packages. */
export interface TfjsNodeOptions {
  /** Loads the package; default `import()` of it. */
  readonly load?: () => Promise<unknown>;
}

/** The two packages, and the devices. */
type Name = 'tfjs-node' | 'tfjs-node-gpu';

/** The backend that both packages register with TensorFlow.js. */
const BACKEND = 'tensorflow';

/**
 * Opens a device that runs functions eagerly on the CPU kernels of TensorFlow, with the package `@tensorflow/tfjs-node`.
 *
 * @throws CertError `missing-package` if the package is not installed, does not load or has a different TensorFlow.js version; `in-use` if
 * the process has loaded `@tensorflow/tfjs-node-gpu`
 */
export const tfjsNodeDevice = (options: TfjsNodeOptions = {}): Promise<Device> => open('tfjs-node', options);

/**
 * Opens a device that runs functions eagerly on the CUDA kernels of TensorFlow, with the package `@tensorflow/tfjs-node-gpu`. If the CUDA
 * libraries do not load, TensorFlow silently uses the CPU: the device then has a `warning`.
 *
 * @throws CertError `missing-package` as {@link tfjsNodeDevice}; `in-use` if the process has loaded `@tensorflow/tfjs-node`
 */
export const tfjsNodeGpuDevice = (options: TfjsNodeOptions = {}): Promise<Device> => open('tfjs-node-gpu', options);

async function open(name: Name, options: TfjsNodeOptions): Promise<Device> {
  const packageName: string = `@tensorflow/${name}`;
  const wantsGpu = name === 'tfjs-node-gpu';
  // The package makes its backend the current one when it is loaded.
  tf.backend();
  const before = tf.getBackend();
  const earlier = tf.findBackend(BACKEND);
  if (earlier !== null && property(earlier, 'isGPUPackage') !== wantsGpu) throw otherPackage(name);
  restoreUtil(util);
  // Otherwise TensorFlow prints on the terminal which instructions it uses. Warnings and errors stay.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
  try {
    const loaded = await load(name, options.load ?? (() => import(packageName)));
    const version = versionOf(loaded);
    if (version === undefined || minor(version) !== minor(tf.version_core)) throw otherVersion(name, version);
    const backend = tf.findBackend(BACKEND);
    if (backend === null) throw otherInstance(name);
    acceptPadding(BACKEND);
    const onGpu = property(backend, 'isUsingGpuDevice') === true;
    return eagerDevice({
      name,
      description: `${packageName} ${version}, ${libraryOf(backend)}${onGpu ? 'GPU' : 'CPU'}`,
      ...(wantsGpu && !onGpu && { warning: FELL_BACK }),
      backend: BACKEND,
      // The environment selects the algorithms of TensorFlow (oneDNN, bfloat16).
      roundsToNearest: false,
    });
  } finally {
    await tf.setBackend(before);
  }
}

/** The version of the native library, which may be another than the one that the package was written for. */
function libraryOf(backend: object): string {
  const version = property(property(backend, 'binding'), 'TF_Version');
  return typeof version === 'string' ? `TensorFlow ${version}, ` : '';
}

const FELL_BACK =
  'tfjs-node-gpu runs on the CPU: TensorFlow found no usable GPU. Install the NVIDIA driver, CUDA 11 and cuDNN 8, with their folders in LD_LIBRARY_PATH.';

/**
 * The packages call functions that Node 22 deprecates and Node 23 removed (`util.isArray`, `util.isNullOrUndefined`). Without them the first op
 * fails, and where one is deprecated the first op prints a warning.
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
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
}

async function load(name: Name, importPackage: () => Promise<unknown>): Promise<unknown> {
  try {
    return await importPackage();
  } catch (cause) {
    const { state, cure } = whyNot(name, cause);
    throw new CertError(
      'missing-package',
      `The device "${name}" needs the package @tensorflow/${name}, which ${state}.`,
      `${cure} (or use the device "cpu", which needs no install script)`,
      { cause },
    );
  }
}

/** What is wrong with a package that does not load, and the cure. */
function whyNot(name: Name, cause: unknown): { readonly state: string; readonly cure: string } {
  const [first = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  const reason = first.replace(/[\s.]+$/, '');
  const install = `npm install @tensorflow/${name}@${tf.version_core}`;
  const code = property(cause, 'code');
  if (code === 'ERR_MODULE_NOT_FOUND') {
    return {
      state: 'is not installed',
      cure: `Install the package and let its install script run, which downloads TensorFlow: ${install}`,
    };
  }
  // `npm install` of a package that is there would not run its script again.
  if (/native addon module/.test(reason)) {
    return {
      state: `is installed without its native library: ${reason}`,
      cure: `Let npm run the install script of the package, which downloads TensorFlow: npm rebuild @tensorflow/${name} --foreground-scripts`,
    };
  }
  const anew = `Install the package again on this machine: npm uninstall @tensorflow/${name} && ${install}`;
  if (code !== 'ERR_DLOPEN_FAILED') return { state: `does not load: ${reason}`, cure: anew };
  return {
    state: `does not load its native library: ${reason}`,
    cure: `The library is incomplete, of another version of TensorFlow, or built for another system. ${anew}`,
  };
}

/** `version['tfjs-node']` of the loaded package, which is CommonJS. */
function versionOf(loaded: unknown): string | undefined {
  const module = property(loaded, 'default') ?? loaded;
  const version = property(property(module, 'version'), 'tfjs-node');
  return typeof version === 'string' ? version : undefined;
}

const property = (from: unknown, name: string): unknown =>
  typeof from === 'object' && from !== null ? Reflect.get(from, name) : undefined;

const minor = (version: string): string => version.split('.').slice(0, 2).join('.');

const otherVersion = (name: Name, version = 'of an unknown version') =>
  new CertError(
    'missing-package',
    `The package @tensorflow/${name} is ${version}, but TensorFlow.js is ${tf.version_core}.`,
    `Install the same version: npm install @tensorflow/${name}@${tf.version_core}`,
  );

const otherInstance = (name: Name) =>
  new CertError(
    'missing-package',
    `The package @tensorflow/${name} loaded a second copy of TensorFlow.js, so its backend is not registered in the first one.`,
    `Remove the duplicate: npm dedupe (npm ls @tensorflow/tfjs-core must list only ${tf.version_core}).`,
  );

const otherPackage = (name: Name) =>
  new CertError(
    'in-use',
    `The device "${name}" is not available in this process: tfjs-node and tfjs-node-gpu share a backend name, and the other one is already loaded.`,
    'Use the device in a separate process.',
  );
