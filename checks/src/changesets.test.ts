/** Every changeset can be read by the release tool and names packages that exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import parse from '@changesets/parse';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const names = readdirSync(join(root, 'packages')).map((name) => `@cert/${name}`);

for (const file of readdirSync(join(root, '.changeset')).filter(
  (name) => name.endsWith('.md') && name !== 'README.md',
)) {
  it(file, () => {
    const { summary, releases } = parse(readFileSync(join(root, '.changeset', file), 'utf8'));
    expect(summary.length).toBeGreaterThan(10);
    expect(releases.length).toBeGreaterThan(0);
    for (const release of releases) expect(names).toContain(release.name);
  });
}
