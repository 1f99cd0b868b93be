import { golden } from './cli.js';

process.exitCode = await golden(process.argv.slice(2), (line) => process.stdout.write(`${line}\n`));
