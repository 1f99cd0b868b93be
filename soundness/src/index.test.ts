import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('the main entry needs nothing but @cert/core, so that tests of every package can use it', () => {
  const [seen, packages] = [new Set<string>(), new Set<string>()];
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from] of readFileSync(file, 'utf8').matchAll(/^(?:import|export|\}).* from '([^']+)';$/gm)) {
      if (from!.startsWith('.')) visit(join(dirname(file), from!.replace(/\.js$/, '.ts')));
      else packages.add(from!);
    }
  };
  visit(fileURLToPath(new URL('./index.ts', import.meta.url)));
  expect(seen.size).toBeGreaterThan(15);
  expect([...packages]).toEqual(['@cert/core']);
});
