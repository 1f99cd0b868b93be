/** A server of S3 on this machine, in memory, which checks signatures (AWS Signature Version 4) with code of its own. */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';

/** Whose requests are answered. */
export const KEY = { id: 'test-key', secret: 'test/secret' };

/** A server of a test. */
export interface S3Server {
  readonly url: string;
  /** The objects of the one bucket, `nets`. */
  readonly objects: Map<string, { bytes: Buffer; readonly checksum: string }>;
  /** Requests that were answered: method and path. */
  readonly asked: string[];
  /** Cut the next answer off in its middle. */
  cut: boolean;
  stop(): Promise<void>;
}

const hash = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** Why a request is refused; undefined for one that is signed. */
function refusal({ method, url = '', headers }: IncomingMessage, body: Buffer): string | undefined {
  const [, id, date, region, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (id === undefined || date === undefined || region === undefined || names === undefined) return 'AccessDenied';
  if (id !== KEY.id) return 'InvalidAccessKeyId';
  const { pathname, searchParams } = new URL(url, 'http://host');
  const query = [...searchParams].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).sort();
  const content = String(headers['x-amz-content-sha256']);
  const signed = names.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const request = [method, pathname, query.join('&'), signed.join(''), names, content].join('\n');
  const scope = `${date}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash(request)].join('\n');
  const key = [date, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${KEY.secret}`);
  if (hmac(key, text).toString('hex') !== signature) return 'SignatureDoesNotMatch';
  return content === hash(body) ? undefined : 'XAmzContentSHA256Mismatch';
}

/** Starts a server on a free port. */
export async function startS3(): Promise<S3Server> {
  const objects: S3Server['objects'] = new Map();
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const fail = (status: number, code: string) => {
      const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>It is ${code}.</Message></Error>`;
      response.writeHead(status, { 'content-type': 'application/xml' }).end(request.method === 'HEAD' ? '' : text);
    };
    const { pathname } = new URL(request.url ?? '', 'http://host');
    asked.push(`${request.method} ${pathname}`);
    const refused = refusal(request, body);
    if (refused !== undefined) return fail(403, refused);
    if (!pathname.startsWith('/nets/')) return fail(404, 'NoSuchBucket');
    const sums = request.headers['x-amz-checksum-sha256'];
    if (request.method === 'PUT') {
      const checksum = createHash('sha256').update(body).digest('base64');
      if (sums !== undefined && sums !== checksum) return fail(400, 'BadDigest');
      objects.set(pathname, { bytes: body, checksum });
      return response.writeHead(200).end();
    }
    const found = objects.get(pathname);
    if (found === undefined) return fail(404, 'NoSuchKey');
    const headers = { 'content-length': found.bytes.length, 'x-amz-checksum-sha256': found.checksum };
    response.writeHead(200, headers);
    if (request.method === 'HEAD') return response.end();
    if (!own.cut) return response.end(found.bytes);
    own.cut = false;
    response.write(found.bytes.subarray(0, 3), () => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const own: S3Server = {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    ...{ objects, asked, cut: false },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return own;
}
