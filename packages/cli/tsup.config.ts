import { defineConfig } from 'tsup';
import { preset } from '../../tsup.preset';

// The command has no declarations.
export default defineConfig({
  ...preset,
  // The last one is started as a process, by its place beside the others.
  entry: { index: 'src/index.ts', cli: 'src/cli.ts', 'trial-process': 'src/search/trial-process.ts' },
  dts: { ...preset.dts, entry: 'src/index.ts' },
});
