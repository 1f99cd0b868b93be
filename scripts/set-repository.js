/**
 * Writes into the package.json of every published package where its source is. npm attests the origin of a package only if `repository`
 * names the repository whose workflow publishes it, and that is known there alone: GITHUB_REPOSITORY, `owner/name`.
 * Runs right before publishing; what it writes is not committed.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// biome-ignore lint/suspicious/noUndeclaredEnvVars: the workflow sets it, and no cached task reads it
const slug = process.env.GITHUB_REPOSITORY ?? '';
if (!/^[\w.-]+\/[\w.-]+$/.test(slug)) {
  console.error(
    `GITHUB_REPOSITORY is ${JSON.stringify(slug)}, not "owner/name".\nPackages are published by the workflow release.yml, which sets it.`,
  );
  process.exit(1);
}
const page = `https://github.com/${slug}`;
const url = `git+${page}.git`;

const packages = readdirSync('packages').map((name) => {
  const directory = `packages/${name}`;
  const file = join(directory, 'package.json');
  return { directory, file, manifest: JSON.parse(readFileSync(file, 'utf8')) };
});

// All are looked at before any is written.
for (const { file, manifest } of packages) {
  const named = typeof manifest.repository === 'string' ? manifest.repository : manifest.repository?.url;
  if (named === undefined || named === url) continue;
  console.error(
    `${file} has the repository ${JSON.stringify(named)}, and this is ${JSON.stringify(url)}: npm would refuse its provenance.\nRemove "repository" there, as it is filled in here, or publish from the repository that it names.`,
  );
  process.exit(1);
}

for (const { directory, file, manifest } of packages) {
  const filled = {
    ...manifest,
    homepage: `${page}/tree/main/${directory}#readme`,
    bugs: `${page}/issues`,
    repository: { type: 'git', url, directory },
  };
  writeFileSync(file, `${JSON.stringify(filled, null, 2)}\n`);
}
console.log(`${packages.length} packages name ${url} as their repository.`);
