/** Bundles for a browser as a user's bundler does: the packages as they are built, nothing left out, no settings for them. */
import { join } from 'node:path';
import { build, type Message } from 'esbuild';
import { root } from './markdown.js';

/** What a bundler makes of a module. */
export interface Bundle {
  /** One script, to run at the top level of an async function. */
  readonly code: string;
  /** What is missing in a browser, each with the file that asks for it. */
  readonly problems: readonly string[];
}

/** @param code a module in TypeScript that may import the packages of this repository */
export async function bundle(code: string): Promise<Bundle> {
  try {
    const { metafile, outputFiles, warnings } = await build({
      stdin: { contents: code, resolveDir: join(root, 'checks'), loader: 'ts', sourcefile: 'program.ts' },
      ...{ bundle: true, write: false, metafile: true, format: 'esm', platform: 'browser', logLevel: 'silent' },
      absWorkingDir: root,
      outfile: 'program.js',
    });
    const left = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
    return { code: outputFiles[0]!.text, problems: [...warnings.map(inWords), ...left] };
  } catch (error) {
    // esbuild throws when there is an import that it cannot resolve.
    if (error instanceof Error && 'errors' in error && Array.isArray(error.errors)) {
      return { code: '', problems: error.errors.map(inWords) };
    }
    throw error;
  }
}

const inWords = ({ text, location }: Message): string => `${location?.file ?? ''}: ${text}`;
