/** What this machine has to compute on, as far as its files say: ONNX Runtime tells nobody which adapter it took. */
import { existsSync, readdirSync } from 'node:fs';

/** Where to look; the machine itself by default. */
export interface Machine {
  readonly platform: string;
  readonly env: { readonly [name: string]: string | undefined };
  /** Whether the path exists; a path that ends in `*` is a prefix. */
  exists(path: string): boolean;
}

const thisMachine: Machine = {
  platform: process.platform,
  env: process.env,
  exists(path) {
    if (!path.endsWith('*')) return existsSync(path);
    const [folder, prefix] = [path.slice(0, path.lastIndexOf('/')), path.slice(path.lastIndexOf('/') + 1, -1)];
    return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith(prefix));
  },
};

/** Vulkan drivers that compute on the processor. */
const SOFTWARE_DRIVER = /swiftshader|lvp_icd|lavapipe|llvmpipe/i;

/** Device files of GPUs: Linux's own drivers, NVIDIA's, those of Windows seen from its Linux, Arm's. */
const GPU_FILES = ['/dev/dri/renderD*', '/dev/nvidia0', '/dev/dxg', '/dev/mali0'];

/**
 * Why WebGPU must be running on the processor, in words; `undefined` where it may well be a GPU. Only Linux hands out adapters
 * that are programs.
 */
export function softwareAdapter(machine: Machine = thisMachine): string | undefined {
  const { platform, env, exists } = machine;
  if (platform !== 'linux') return undefined;
  const chosen = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES ?? '';
  if (SOFTWARE_DRIVER.test(chosen)) return `the software adapter ${chosen}`;
  return GPU_FILES.some(exists) ? undefined : 'a software adapter (this machine shows no GPU)';
}

/** Whether there may be an NVIDIA GPU: on Linux its device files say so, elsewhere only trying does. */
export function mayHaveNvidia({ platform, exists }: Machine = thisMachine): boolean {
  if (platform === 'darwin') return false;
  return platform !== 'linux' || exists('/dev/nvidia0') || exists('/dev/dxg') || exists('/dev/nvidiactl');
}
