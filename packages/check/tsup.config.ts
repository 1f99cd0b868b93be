import { defineConfig } from 'tsup';
import { preset } from '../../tsup.preset';

// The command has no declarations.
export default defineConfig({
  ...preset,
  entry: ['src/index.ts', 'src/cli.ts'],
  dts: { ...preset.dts, entry: 'src/index.ts' },
});
