#!/usr/bin/env node
import { existsSync } from 'node:fs';

if (existsSync(new URL('../dist/cli.js', import.meta.url))) await import('../dist/cli.js');
else (await import('../../../scripts/from-source.js')).fromSource(new URL('../src/cli.ts', import.meta.url));
