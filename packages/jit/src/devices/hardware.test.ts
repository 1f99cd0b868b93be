import { describe, expect, it } from 'vitest';
import { type Machine, mayHaveNvidia, softwareAdapter } from './hardware.js';

const machine = (files: readonly string[], env: Machine['env'] = {}, platform = 'linux'): Machine => ({
  platform,
  env,
  exists: (path) => files.some((file) => (path.endsWith('*') ? file.startsWith(path.slice(0, -1)) : file === path)),
});

describe('what a machine has', () => {
  it('a software adapter is one without a GPU, or one that was asked for', () => {
    expect(softwareAdapter(machine([]))).toContain('shows no GPU');
    expect(softwareAdapter(machine(['/dev/dri/renderD128']))).toBeUndefined();
    expect(softwareAdapter(machine(['/dev/nvidia0']))).toBeUndefined();
    expect(softwareAdapter(machine([], {}, 'win32'))).toBeUndefined();
    const env = { VK_ICD_FILENAMES: '/usr/lib/chromium/vk_swiftshader_icd.json' };
    expect(softwareAdapter(machine(['/dev/dri/renderD128'], env))).toContain(env.VK_ICD_FILENAMES);
    expect(softwareAdapter(machine(['/dev/nvidia0'], { VK_DRIVER_FILES: '/x/nvidia_icd.json' }))).toBeUndefined();
  });

  it('NVIDIA is seen by its device files', () => {
    expect(mayHaveNvidia(machine(['/dev/dri/renderD128']))).toBe(false);
    expect(mayHaveNvidia(machine(['/dev/nvidia0']))).toBe(true);
    expect(mayHaveNvidia(machine([], {}, 'darwin'))).toBe(false);
    expect(mayHaveNvidia(machine([], {}, 'win32'))).toBe(true);
  });
});
