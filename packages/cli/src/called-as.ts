/**
 * The command as it was called, for hints that can be typed: `cert`, `npx cert`, `npx @cert/cli` or `npm run cert --`.
 *
 * @param env what npm tells what it runs
 * @param script the file that Node.js was given
 */
export function calledAs(env = process.env, script = process.argv[1] ?? ''): string {
  const path = script.replaceAll('\\', '/');
  // `npm run` names the script, and `npx` is always called so.
  if (env.npm_command?.startsWith('run') && env.npm_lifecycle_event === 'cert') return 'npm run cert --';
  // The cache that npx installs into when the project has no such package.
  if (path.includes('/_npx/')) return 'npx @cert/cli';
  return env.npm_command === 'exec' || path.includes('/node_modules/.bin/') ? 'npx cert' : 'cert';
}

/** What continues a run that was stopped. */
export const resumeHint = (folder: string): string => `Resume with: ${calledAs()} train --resume ${quoted(folder)}`;

/** A path as a shell takes it. */
export const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
