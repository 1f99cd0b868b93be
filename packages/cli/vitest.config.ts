import { mergeConfig } from 'vitest/config';
import preset from '../../vitest.preset.ts';

/** Hints call the command `cert`, whatever npm calls the tests. */
export default mergeConfig(preset, { test: { env: { npm_command: '' } } });
