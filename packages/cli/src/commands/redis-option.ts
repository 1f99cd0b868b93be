import { CertError } from '@cert/core';
import { type Command, Option } from 'commander';

/** The variable of the environment that has the address: a password in it is in no list of processes. */
const VARIABLE = 'CERT_REDIS';

/** What commander collects for `--redis`. */
export interface RedisOption {
  readonly redis?: string;
}

/** Adds `--redis`. */
export const addRedisOption = (command: Command): Command =>
  command.addOption(
    new Option(
      '--redis <url>',
      `address of Redis: redis://HOST:PORT, or rediss://USER:PASSWORD@HOST:PORT with TLS (default: the variable ${VARIABLE})`,
    ),
  );

/** The address. @throws CertError `bad-argument` where there is none */
export function redisOf({ redis = process.env[VARIABLE] }: RedisOption): string {
  if (redis !== undefined && redis !== '') return redis;
  throw new CertError(
    'bad-argument',
    'The address of Redis is missing.',
    `Give --redis redis://HOST:PORT, or set the variable ${VARIABLE}, in which a password does not show in lists of processes.`,
  );
}
