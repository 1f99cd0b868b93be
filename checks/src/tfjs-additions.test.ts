/** The copy in @cert/core of what TensorFlow.js adds to its core is that of the version that is installed. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { generateAdditions } from './tfjs-additions.ts';

it('packages/core/src/tfjs-additions.ts is what the generator writes', async () => {
  const file = join(import.meta.dirname, '../../packages/core/src/tfjs-additions.ts');
  await expect(await generateAdditions()).toMatchFileSnapshot(file);
});
