import type { Options } from 'tsup';

/** What every package builds: ES modules with declarations, from `src/index.ts` into `dist/`. */
export const preset = {
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2022',
  dts: { compilerOptions: { customConditions: [] } },
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
  silent: true,
} satisfies Options;
