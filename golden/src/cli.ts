import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CertError } from '@cert/core';
import type { Device } from '@cert/jit';
import { openDevice } from '@cert/jit/node';
import type { Row } from './compare.js';
import { compareFolder } from './golden.js';
import { formatRow, formatSummary, header, summarize } from './report.js';

/** The files that the tests keep. */
export const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));

/**
 * The command: `golden [--devices NAME,...] [DIR]`. Prints a line per quantity through `print` and returns the exit code: 0 when nothing failed.
 * A relative folder is relative to where the user called npm.
 */
export async function golden(args: readonly string[], print: (line: string) => void): Promise<number> {
  try {
    const named = args[0] === '--devices';
    const names = (named ? (args[1] ?? '') : 'tfjs,cpu').split(',');
    const [folder, ...rest] = named ? args.slice(2) : args;
    if (rest.length > 0 || folder?.startsWith('-')) {
      const usage = 'Usage: npm run golden -- [--devices NAME,...] [DIR]';
      throw new CertError('bad-argument', `golden got "${args.join(' ')}".`, usage);
    }
    const devices: Device[] = await Promise.all(names.map(openDevice));
    const base = process.env.INIT_CWD ?? process.cwd();
    const rows: Row[] = [];
    print(header);
    for await (const row of compareFolder(folder === undefined ? FIXTURES : resolve(base, folder), devices)) {
      rows.push(row);
      print(formatRow(row));
    }
    const summary = summarize(rows);
    print(formatSummary(summary));
    await Promise.all(devices.map((device) => device.dispose()));
    return summary.failed === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof CertError)) throw error;
    print(error.message);
    return 1;
  }
}
