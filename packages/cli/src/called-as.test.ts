import { describe, expect, it } from 'vitest';
import { calledAs, resumeHint } from './called-as.js';

describe('calledAs', () => {
  it.each([
    ['npx cert', 'exec', 'npx', '/home/me/project/node_modules/.bin/cert'],
    ['npx cert', 'exec', 'npx', 'C:\\project\\node_modules\\@cert\\cli\\bin\\cert.js'],
    ['npx cert', undefined, undefined, '/home/me/project/node_modules/.bin/cert'],
    ['npx cert', 'exec', 'npx', '/home/me/clone/packages/cli/src/cli.ts'],
    ['npx cert', 'run', 'experiment', '/home/me/project/node_modules/.bin/cert'],
    ['npx @cert/cli', 'exec', 'npx', '/home/me/.npm/_npx/0123456789abcdef/node_modules/.bin/cert'],
    ['npm run cert --', 'run', 'cert', '/home/me/clone/packages/cli/src/cli.ts'],
    ['npm run cert --', 'run-script', 'cert', '/home/me/clone/packages/cli/src/cli.ts'],
    ['cert', undefined, undefined, '/usr/local/bin/cert'],
  ])('%s', (command, npm_command, npm_lifecycle_event, script) => {
    expect(calledAs({ npm_command, npm_lifecycle_event }, script)).toBe(command);
  });

  it('quotes a folder as a shell needs it', () => {
    expect(resumeHint('runs/1')).toBe('Resume with: cert train --resume runs/1');
    expect(resumeHint("runs/it's")).toBe("Resume with: cert train --resume 'runs/it'\\''s'");
  });
});
