/** What a reader does first: the first line that installs something, then the first block of TypeScript. */
export interface FirstSteps {
  /** Names of packages, without versions. */
  readonly installs: readonly string[];
  readonly code: string;
}

/** @throws Error when a README has no such line or block */
export function firstSteps(readme: string): FirstSteps {
  const line = readme.match(/^npm install (.+)$/m)?.[1];
  const code = readme.match(/^```ts\n(.*?)^```/ms)?.[1];
  if (line === undefined) throw new Error('The README has no line that begins with "npm install ".');
  if (code === undefined) throw new Error('The README has no block that begins with ```ts.');
  const words = line.split(' ').filter((word) => !word.startsWith('-'));
  return { installs: words.map((word) => word.replace(/(?<=.)@[\d.~^]+$/, '')), code };
}
