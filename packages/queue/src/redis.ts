import { CertError } from '@cert/core';
import { Redis } from 'ioredis';

/** Where all keys in Redis begin. */
export const PREFIX = 'cert';

/** What a client connects with. */
interface RedisOptions {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  /** With TLS, if it is there. */
  readonly tls?: object;
}

/** A Redis server that has answered. */
export interface RedisAddress {
  /** `host:port`, and the number of the database where it is not 0: for messages, without a password. */
  readonly name: string;
  /** What clients connect with. */
  readonly options: RedisOptions;
  /** What is wrong with the settings of the server for a queue, one sentence each. */
  readonly warnings: readonly string[];
}

/** Attempts to reach a server that has gone, and milliseconds between two. */
const [ATTEMPTS, PAUSE] = [5, 500];

/** What clients connect with whose commands fail after a few attempts, where a worker waits until the server is back. */
export const impatient = ({ options }: RedisAddress) => ({
  ...options,
  maxRetriesPerRequest: ATTEMPTS,
  // Without an end, BullMQ waits for a connection before each command.
  retryStrategy: (times: number) => (times > ATTEMPTS ? null : PAUSE),
});

/** Milliseconds until a server that does not answer counts as unreachable. */
const PATIENCE = 5000;

/**
 * Connects once, to say early what is wrong.
 *
 * @param url `redis://HOST:PORT`, or `rediss://USER:PASSWORD@HOST:PORT/DATABASE` with TLS
 * @throws CertError `bad-argument` for another URL and for a wrong user or password, `no-network` if nothing answers there
 */
export async function openRedis(url: string): Promise<RedisAddress> {
  const options = parseUrl(url);
  const name = `${options.host}:${options.port}${options.db ? `, database ${options.db}` : ''}`;
  const ask = async (): Promise<string> => {
    const client = new Redis({
      ...options,
      ...{ lazyConnect: true, connectTimeout: PATIENCE, maxRetriesPerRequest: 0 },
      retryStrategy: () => null,
    });
    let reason: Error | undefined;
    client.on('error', (error: Error) => {
      reason = error;
    });
    try {
      await client.connect();
      // The client would go on with database 0.
      if (options.db !== undefined) await client.select(options.db);
      return await client.info().catch((error: unknown) => {
        // Users without the right to ask for it may still use a queue.
        if (error instanceof Error && error.message.startsWith('NOPERM')) return '';
        throw error;
      });
    } catch (error) {
      throw reason ?? error;
    } finally {
      client.disconnect();
    }
  };
  // Where this process was busy for longer, its own clock ended the first attempt.
  const isLate = (error: unknown) => error instanceof Error && /ETIMEDOUT/.test(error.message);
  const facts = await ask()
    .catch((error: unknown) => {
      if (!isLate(error)) throw error;
      return ask();
    })
    .catch((error: unknown) => {
      throw redisError(name, error, STRANGER);
    });
  return { name, options, warnings: warningsOf(facts) };
}

/**
 * Calls Redis, and translates what ioredis and BullMQ throw.
 *
 * @throws CertError as {@link openRedis}; what `call` throws that has nothing to do with Redis
 */
export async function callRedis<T>({ name }: RedisAddress, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw redisError(name, error);
  }
}

/** What is said of answers that Redis does not give. */
const STRANGER = 'does not answer as a Redis server does';

/** The error for what a client of Redis threw; the same error if it is another one. @param otherwise what is said of that */
function redisError(name: string, error: unknown, otherwise?: string): unknown {
  if (!(error instanceof Error) || error instanceof CertError) return error;
  const { message } = error;
  const fail = (code: 'no-network' | 'bad-argument', problem: string, cure: string) =>
    new CertError(code, problem, cure, { cause: error });
  if (/WRONGPASS|NOAUTH|invalid password|AUTH.*without any password/.test(message)) {
    const asked = message.includes('NOAUTH') ? 'asks for a password' : 'refuses the user or the password of the URL';
    return fail(
      'bad-argument',
      `Redis at ${name} ${asked}.`,
      'Give both in the URL: redis://USER:PASSWORD@HOST:PORT (without a user: redis://:PASSWORD@HOST:PORT).',
    );
  }
  if (/DB index/.test(message)) {
    return fail(
      'bad-argument',
      `Redis at ${name} has no such database.`,
      'Give a smaller number at the end of the URL.',
    );
  }
  if (/NOPERM/.test(message)) {
    return fail(
      'bad-argument',
      `The user of Redis at ${name} lacks a right: ${message}.`,
      `Allow the user the keys ${PREFIX}:* with all commands that BullMQ uses.`,
    );
  }
  if (/^OOM|used memory > 'maxmemory'/.test(message)) {
    return fail(
      'no-network',
      `Redis at ${name} is full: ${message}`,
      'Raise maxmemory of the server, or remove evaluations that are no longer needed: cert queue remove ID.',
    );
  }
  const code = 'code' in error ? String(error.code) : '';
  if (/SELF_SIGNED|^UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)/.test(code)) {
    return fail(
      'no-network',
      `Redis at ${name} has a certificate that is not trusted: ${message || code}.`,
      'For a certificate of your own authority, set NODE_EXTRA_CA_CERTS=FILE.pem where the command starts.',
    );
  }
  if (/^E[A-Z]+$|^ERR_(TLS|SSL)|CERT/.test(code) || /closed|max retries|ETIMEDOUT|READONLY|LOADING/i.test(message)) {
    return fail(
      'no-network',
      `Redis at ${name} cannot be reached: ${message || code}.`,
      'Check the address of --redis and that the server runs (redis-cli -u URL ping). For TLS the URL begins with rediss://.',
    );
  }
  if (/Redis version/.test(message)) {
    return fail('bad-argument', `Redis at ${name} is too old: ${message}`, 'Install Redis 6.2 or later, or Valkey.');
  }
  if (otherwise === undefined) return error;
  return fail(
    'no-network',
    `The server at ${name} ${otherwise}: ${message}`,
    'Check the address and the port of --redis.',
  );
}

/** @throws CertError `bad-argument`; the URL, which may hold a password, is not repeated */
function parseUrl(text: string): RedisOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const db = url === undefined || url.pathname.length < 2 ? 0 : Number(url.pathname.slice(1));
  const [username, password] = [url?.username, url?.password].map(decoded);
  if (
    url === undefined ||
    username === undefined ||
    password === undefined ||
    !/^rediss?:$/.test(url.protocol) ||
    url.hostname === '' ||
    !Number.isSafeInteger(db) ||
    db < 0
  ) {
    throw new CertError(
      'bad-argument',
      'The address of Redis is not a URL that begins with redis:// or rediss:// and names a host.',
      'Give one such as redis://localhost:6379, or rediss://USER:PASSWORD@HOST:PORT with TLS; a % in a password is written %25.',
    );
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(db !== 0 && { db }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  };
}

/** A part of a URL as it is meant; undefined for a % that stands for nothing. */
function decoded(text = ''): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** @param facts what `INFO` says */
function warningsOf(facts: string): readonly string[] {
  const value = (key: string) => new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(facts)?.[1];
  const policy = value('maxmemory_policy');
  return [
    ...(value('aof_enabled') === '0'
      ? [
          'Redis writes no append-only file: after a restart jobs and results may be lost. Set in redis.conf: appendonly yes',
        ]
      : []),
    ...(policy !== undefined && policy !== 'noeviction'
      ? [
          `Redis may evict keys (maxmemory-policy ${policy}): jobs can vanish. Set in redis.conf: maxmemory-policy noeviction`,
        ]
      : []),
  ];
}
