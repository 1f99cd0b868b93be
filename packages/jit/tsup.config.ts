import { defineConfig } from 'tsup';
import { preset } from '../../tsup.preset';

export default defineConfig({
  ...preset,
  entry: ['src/index.ts', 'src/node/index.ts', 'src/web/index.ts'],
  // Otherwise an entry imports files that it needs nothing of, of which bundlers warn.
  treeshake: { moduleSideEffects: false },
});
