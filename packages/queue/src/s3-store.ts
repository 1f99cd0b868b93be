import type { S3Client } from '@aws-sdk/client-s3';
import { CertError } from '@cert/core';
import type { Shelf } from './shelf.js';

/** The package of the client, which is installed by whoever keeps files in S3. */
type Sdk = typeof import('@aws-sdk/client-s3');

/**
 * A bucket of S3, or of a server that speaks its protocol. Credentials, region and endpoint are found as the AWS tools find them: in the
 * environment, the files of `~/.aws`, or the role of the machine.
 *
 * @param place `s3://BUCKET/PREFIX`
 * @param load default `import('@aws-sdk/client-s3')`
 * @throws CertError `missing-package` without the package, `bad-argument` for a URL without a bucket
 */
export async function s3Store(
  place: string,
  load: () => Promise<Sdk> = () => import('@aws-sdk/client-s3'),
): Promise<Shelf> {
  const { bucket, prefix } = parsePlace(place);
  const sdk = await load().catch((cause: unknown) => {
    throw new CertError(
      'missing-package',
      `The store ${place} needs the package @aws-sdk/client-s3, which is not installed or does not load.`,
      'Install the package: npm install @aws-sdk/client-s3',
      { cause },
    );
  });
  const client = clientOf(sdk);
  const at = (sha256: string) => ({ Bucket: bucket, Key: `${prefix}${sha256}` });
  const failed = (error: unknown, sha256: string) => s3Error(place, sha256, error);
  return {
    name: place,
    async read(sha256) {
      try {
        const { Body } = await client.send(new sdk.GetObjectCommand(at(sha256)));
        return (await Body?.transformToByteArray()) ?? new Uint8Array();
      } catch (error) {
        throw failed(error, sha256);
      }
    },
    async write(sha256, bytes) {
      // The server compares what arrives with it, and keeps it beside the object.
      const ChecksumSHA256 = Buffer.from(sha256, 'hex').toString('base64');
      try {
        const head = new sdk.HeadObjectCommand({ ...at(sha256), ChecksumMode: 'ENABLED' });
        const there = await client.send(head).catch((error: unknown) => {
          // It is missing, or may not be looked at. What is wrong besides, the next request tells.
          if (statusOf(error) === undefined) throw error;
          return undefined;
        });
        if (there?.ChecksumSHA256 === ChecksumSHA256 && there.ContentLength === bytes.length) return;
        await client.send(new sdk.PutObjectCommand({ ...at(sha256), Body: bytes, ChecksumSHA256 }));
      } catch (error) {
        throw failed(error, sha256);
      }
    },
  };
}

/** @throws CertError `bad-argument` for a URL without a bucket */
function parsePlace(place: string): { readonly bucket: string; readonly prefix: string } {
  const [, bucket, path = ''] = /^s3:\/\/([a-z0-9][a-z0-9._-]+)(?:\/([^?#]*))?$/i.exec(place) ?? [];
  if (bucket === undefined) {
    throw new CertError(
      'bad-argument',
      `The store ${JSON.stringify(place)} names no bucket of S3.`,
      'Give s3://BUCKET or s3://BUCKET/PREFIX, and the endpoint of another server than AWS in the variable AWS_ENDPOINT_URL_S3.',
    );
  }
  const folder = path.replace(/\/+$/, '');
  return { bucket, prefix: folder === '' ? '' : `${folder}/` };
}

/** Milliseconds until a server that does not answer counts as unreachable. */
const PATIENCE = 10_000;

function clientOf({ S3Client: Client }: Sdk): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  // Servers of one name have no names for their buckets, and most have no region.
  const isOther = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined;
  const region = AWS_REGION ?? AWS_DEFAULT_REGION ?? (isOther ? 'us-east-1' : undefined);
  return new Client({
    ...(region !== undefined && { region }),
    forcePathStyle: isOther,
    requestHandler: { connectionTimeout: PATIENCE, socketTimeout: 6 * PATIENCE },
    // Not every server knows the others.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

/** The status of the answer that an error is about; undefined where there was none. */
function statusOf(error: unknown): number | undefined {
  const { $metadata } = (error ?? {}) as { readonly $metadata?: { readonly httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

const CREDENTIALS =
  'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role that may read and write the bucket.';

/** What went wrong, in the words of the project. */
function s3Error(place: string, sha256: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message } = error;
  const status = statusOf(error);
  const fail = (code: 'bad-file' | 'bad-argument' | 'no-network', problem: string, cure: string) =>
    new CertError(code, problem, cure, { cause: error });
  if (name === 'NoSuchBucket') {
    return fail('bad-file', `The bucket of the store ${place} does not exist.`, 'Make the bucket, or correct --store.');
  }
  if (status === 404) {
    return fail(
      'bad-file',
      `The store ${place} lacks the file ${sha256}.`,
      'Give the store of cert queue submit --store, or submit again.',
    );
  }
  if (status === 403 || status === 401 || name === 'InvalidAccessKeyId') {
    return fail('bad-argument', `The store ${place} refuses the credentials: ${name}, ${message}.`, CREDENTIALS);
  }
  if (/Credential|Token.*Provider/i.test(name)) {
    return fail('bad-argument', `There are no credentials for the store ${place}: ${message}.`, CREDENTIALS);
  }
  if (/region is missing/i.test(message)) {
    return fail('bad-argument', `The region of the store ${place} is not known.`, 'Set AWS_REGION.');
  }
  if (status === undefined) {
    const reason = message || ('code' in error ? String(error.code) : name);
    return fail(
      'no-network',
      `The store ${place} cannot be reached: ${reason}.`,
      'Check the address, which AWS_ENDPOINT_URL_S3 has for another server than AWS.',
    );
  }
  return fail(
    'bad-file',
    `The store ${place} answers with an error (${status} ${name}): ${message}.`,
    'Check the bucket, its region (AWS_REGION) and its free space.',
  );
}
