import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openRedis } from '../src/redis.js';

/** For the names of tests: why they are skipped; empty where there is a server. */
export const noRedis =
  spawnSync('redis-server', ['--version']).status === 0 ? '' : ' (skipped without Redis: apt-get install redis-server)';

/** A server of a test, on this machine alone. */
export interface RedisServer {
  readonly url: string;
  /** Ends the server as a power cut would. */
  end(): Promise<void>;
  /** Starts it again on the same data. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** A port that nobody listens at. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Starts a server on a free port, with its data in a temporary folder. */
export async function startRedis(...settings: readonly string[]): Promise<RedisServer> {
  const [folder, port] = [await mkdtemp(join(tmpdir(), 'cert-redis-')), await freePort()];
  const url = `redis://127.0.0.1:${port}`;
  const args = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction', ...settings],
  ];
  const start = async () => {
    const server = spawn('redis-server', args, { stdio: 'ignore' });
    for (let tries = 0; ; tries++) {
      try {
        await openRedis(url);
        return server;
      } catch (error) {
        // It answers, and asks for a password.
        if (error instanceof Error && /password/.test(error.message)) return server;
        if (tries === 100) throw error;
        await wait(50);
      }
    }
  };
  let server = await start();
  const end = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  return {
    url,
    end,
    async start() {
      server = await start();
    },
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
